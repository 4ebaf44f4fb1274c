/* What the files of the data phase share among themselves; nothing outside runtime/data includes this. */
#ifndef PTM_RUNTIME_DATA_PARTS_H
#define PTM_RUNTIME_DATA_PARTS_H

#include "runtime/data/corpus.h"
#include "runtime/data/data.h"

/* Every host function, by its row. */
#define READER(name, signature, help, function) DataFunction function;
#include "runtime/data/readers.def"
#undef READER

/* The bytes behind a name: those of its file, or the built-in corpus of this kind. The same text every time. */
bool source_text(RtData *d, const char *name, CorpusKind kind, RtText *text, RtError *e);
/* The array of a name's file, or of an archive: `member`, or the one of this name, or the only one. member may be
 * NULL. */
bool source_array(RtData *d, const char *name, const char *member, DataArray *array, RtError *e);
bool source_idx(RtData *d, const char *name, DataArray *array, RtError *e);
const char *source_file(const RtData *d, const char *name);      /* of --data, or NULL */

/* Reads a whole text file: not empty, no NUL bytes, not packed. A byte order mark is left out. The caller frees
 * *bytes. */
bool file_read(const char *path, char **bytes, RtText *text, RtError *e);

/* Checks arguments against a signature and puts them into the order of its parameters (bound: one value each, DATA_none
 * when left out; the values of a `..name` become a list made in d). */
enum { SIGNATURE_MAX = 12 };
bool signature_bind(RtData *d, const DataReader *reader, const DataValue *args, int count, DataValue *bound,
                    RtError *e);

/* Adds a result; asserts that there is room. */
void data_result(DataResults *results, DataValue value);

/* A fresh key for the streams of one call: the number of such calls before it, so that it depends on the program
 * alone. */
uint64_t data_stream_key(RtData *d);

#endif
