/* The data phase: host functions by name, over values that one RtData owns. The functions are the rows of readers.def;
 * each has a signature as text, from which arguments are checked, put in order and completed before the function sees
 * them. */
#ifndef PTM_RUNTIME_DATA_H
#define PTM_RUNTIME_DATA_H

#include "runtime/data/corpus.h"
#include "runtime/data/value.h"

enum { DATA_MAX_RESULTS = 8 };

typedef struct RtData RtData;

RtData *rt_data_new(void);
void    rt_data_free(RtData *d);                             /* and every value that came from it */

/* --data NAME=FILE. False when the name is bound already. */
bool rt_data_bind(RtData *d, const char *name, const char *file);

/* Calls a row of readers.def. results holds DATA_MAX_RESULTS values. False with a message that names file, line or
 * offset where there is one; the caller adds the place in the program. */
bool rt_data_call(RtData *d, const char *name, const DataValue *args, int arg_count, DataValue *results,
                  int *result_count, RtError *e);

/* The table itself, for help, suggestions and `knows`. */
typedef struct DataResults {
    DataValue *values;                   /* room for DATA_MAX_RESULTS */
    int        count;
} DataResults;
typedef bool DataFunction(RtData *d, const DataValue *args, DataResults *results, RtError *e);
typedef struct DataReader {
    const char   *name;                  /* "windows"; "()", "[]" and "size" serve the language's own forms */
    const char   *signature;             /* "(ids: array, length: count, …) -> stream" */
    const char   *help;
    DataFunction *function;
} DataReader;
const DataReader *rt_data_readers(int *count);
const DataReader *rt_data_reader(const char *name);          /* NULL when there is none */

/* What has been read so far, in order of first use. */
typedef struct DataSource {
    const char *name;                    /* as the program says it: "text" */
    const char *file;                    /* NULL: the built-in corpus */
    RtText      text;                    /* all of it; of an array, its bytes */
    CorpusKind  kind;                    /* what it was read as; CORPUS_KIND_COUNT: an array of a file */
    DataArray   array;                   /* then: this one */
    const char *member;                  /* of a .npz: which; NULL: not said */
    double      best_loss;               /* built-in: nats per character of text, per label, per target line of pairs
                                            (rt_corpus_unit); else 0 */
    double      best_accuracy;           /* built-in labelled lines: of the best possible classifier; else 0 */
} DataSource;
int               rt_data_source_count(const RtData *d);
const DataSource *rt_data_source(const RtData *d, int i);
/* A built-in text that is used beside the user's own of the same kind, *given: one of them forgotten; or NULL. */
const DataSource *rt_data_mixed(const RtData *d, const DataSource **given);
/* A name given to rt_data_bind that nothing has read, or NULL: a misspelling that the command reports. */
const char *rt_data_unused(const RtData *d);

int64_t rt_data_bytes(const RtData *d);                      /* what it holds, but for tokenizers */

/* Memory that lives as long as the RtData; never NULL. rt_data_adopt takes over a block from malloc. Tokenizers are
 * freed with it. */
void *rt_data_alloc(RtData *d, int64_t count, int64_t item);
void *rt_data_adopt(RtData *d, void *block);
const RtTokenizer *rt_data_keep(RtData *d, RtTokenizer *t);

#endif
