/* Memory for compile-time objects: allocate from an arena, free the arena, never the object. */
#ifndef PTM_ARENA_H
#define PTM_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void   arena_free(Arena *arena);                             /* NULL is allowed */
void  *arena_alloc(Arena *arena, size_t bytes);              /* zeroed, 16-byte aligned; on exhaustion says so and exits
                                                                1 */
void  *arena_items(Arena *arena, size_t item, size_t count);  /* the same; a product that does not fit is exhaustion */
char  *arena_copy_text(Arena *arena, const char *text, size_t length);   /* zero-terminated copy */
char  *arena_print(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char  *arena_vprint(Arena *arena, const char *format, va_list args);

#define arena_new_of(arena, T)       ((T *)arena_alloc((arena), sizeof(T)))
#define arena_array(arena, T, count) ((T *)arena_items((arena), sizeof(T), (size_t)(count)))

/* A growing array in an arena: `Vec(int) v = {0}; vec_push(arena, &v, 7); v.at[0]; v.count`. */
#define Vec(T) struct { T *at; int count, capacity; }
#define vec_push(arena, v, value) \
    (vec_reserve_((arena), (void **)&(v)->at, (v)->count, &(v)->capacity, sizeof *(v)->at), \
     (v)->at[(v)->count++] = (value))
void vec_reserve_(Arena *arena, void **at, int count, int *capacity, size_t item);

/* A map from text to pointer, in insertion order. Keys are copied. */
typedef struct Map Map;
Map  *map_new(Arena *arena);
void *map_get(const Map *map, const char *key);              /* NULL when absent */
void  map_set(Map *map, const char *key, void *value);       /* replaces */
int   map_count(const Map *map);
const char *map_key(const Map *map, int i);
void *map_value(const Map *map, int i);
/* The same with keys of any bytes; a map uses either these two or the ones above. */
void *map_get_bytes(const Map *map, const void *key, size_t size);
void  map_set_bytes(Map *map, const void *key, size_t size, void *value);

/* One copy of each distinct text, so that equal texts are equal pointers. */
const char *arena_intern(Map *pool, const char *text);

#endif
