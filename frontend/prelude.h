/* The prelude's files, compiled in by frontend/embed.cmake: every fn in them is in scope of every model. Ends with name
 * NULL. */
#ifndef PTM_PRELUDE_H
#define PTM_PRELUDE_H

typedef struct PreludeFile {
    const char *name, *text;
} PreludeFile;

extern const PreludeFile prelude_files[];

#endif
