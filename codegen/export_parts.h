/* An object under construction, shared by export.c (programs, module, bytes), export_table.c (tables as LLVM's text),
 * export_text.c (functions as LLVM's text) and export_walk.c (what walks the tables). */
#ifndef PTM_EXPORT_PARTS_H
#define PTM_EXPORT_PARTS_H

#include "codegen/compile.h"
#include "codegen/export.h"
#include "codegen/target.h"

typedef struct ExportProgram {
    Program program;                     /* the addresses of its functions are numbers of them: see export_kernel */
    const CodeRow *rows;
} ExportProgram;

struct Export {
    Arena *arena;
    ExportOptions options;
    Target      set[EXPORT_MAX_SETS];
    const char *set_name[EXPORT_MAX_SETS];
    int         set_count;
    Functions   functions;
    Vec(ExportProgram *) programs;
    LLVMMemoryBufferRef  bytes;
    char       *text;
};

/* The number of a function in e->functions by its address in a table, or -1: one of the runtime's. */
int export_kernel(const Export *e, RtKernel *address);

/* The symbol of a function for a set. */
const char *export_kernel_name(Arena *arena, int kernel, int set);
const char *export_block_name(Arena *arena, RtBlock block);

/* The text being written. */
typedef struct Writer {
    const Export *e;
    const ExportContents *contents;
    FILE  *out;
    Map   *texts;                        /* number of each, by text */
    Arena *arena;
    int    values;                       /* numbers of a function's temporaries */
} Writer;
void put(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* export_table.c. A text as a constant: ptm.text and this number; all of them, at the end. */
int  export_text_number(Writer *w, const char *text);
void export_texts(Writer *w);
/* "@ptm.kernel3.1", "@rt_copy", "null" */
const char *export_function_name(Writer *w, RtKernel *address, int set);
void export_table(Writer *w, int program);                   /* the table of a program, for every set */
void export_list(Writer *w, const ExportList *list);

/* export_text.c. Tables, functions and what they call; the kernels and blocks are declared. */
void export_write_text(const Export *e, const ExportContents *contents, FILE *out);

/* export_walk.c. The text of what every object needs, of what walks tables (with one thread), and of what looks at an
 * x86-64 processor. */
extern const char EXPORT_BASE[], EXPORT_WALK[], EXPORT_PROCESSOR[];

#endif
