/* The map from text or bytes to pointer: entries in order of insertion, and a table of their numbers
 * probed linearly. */
#include "ir/base/arena.h"

#include <stdint.h>
#include <string.h>

typedef struct Entry {
    const char *key;
    size_t      size;                    /* of the key; a text's size includes its zero */
    void       *value;
    uint64_t    hash;
} Entry;

struct Map {
    Arena *arena;
    Vec(Entry) entries;
    int   *slots;                        /* 1 + number of the entry; 0: free */
    int    slot_count;                   /* a power of two, at least twice the entries */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static uint64_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = size, word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return mix(hash, word);
}

Map *map_new(Arena *arena)
{
    Map *map = arena_new_of(arena, Map);
    map->arena = arena;
    map->slot_count = 16;
    map->slots = arena_array(arena, int, map->slot_count);
    return map;
}

/* The slot of the key, or the free slot where it belongs. */
static int *slot_of(const Map *map, const void *key, size_t size, uint64_t hash)
{
    uint64_t mask = (uint64_t)map->slot_count - 1;
    for (uint64_t i = hash & mask;; i = (i + 1) & mask) {
        int number = map->slots[i];
        if (!number) return &map->slots[i];
        const Entry *entry = &map->entries.at[number - 1];
        if (entry->hash == hash && entry->size == size && !memcmp(entry->key, key, size)) return &map->slots[i];
    }
}

static void grow(Map *map)
{
    map->slot_count *= 2;
    map->slots = arena_array(map->arena, int, map->slot_count);
    for (int i = 0; i < map->entries.count; i++) {
        const Entry *entry = &map->entries.at[i];
        *slot_of(map, entry->key, entry->size, entry->hash) = i + 1;
    }
}

void *map_get_bytes(const Map *map, const void *key, size_t size)
{
    int number = *slot_of(map, key, size, hash_bytes(key, size));
    return number ? map->entries.at[number - 1].value : NULL;
}

void map_set_bytes(Map *map, const void *key, size_t size, void *value)
{
    uint64_t hash = hash_bytes(key, size);
    int *slot = slot_of(map, key, size, hash);
    if (*slot) {
        map->entries.at[*slot - 1].value = value;
        return;
    }
    Entry entry = {arena_copy_text(map->arena, key, size), size, value, hash};
    vec_push(map->arena, &map->entries, entry);
    *slot = map->entries.count;
    if (map->entries.count * 2 > map->slot_count) grow(map);
}

void *map_get(const Map *map, const char *key) { return map_get_bytes(map, key, strlen(key) + 1); }

void map_set(Map *map, const char *key, void *value) { map_set_bytes(map, key, strlen(key) + 1, value); }

int map_count(const Map *map) { return map->entries.count; }

const char *map_key(const Map *map, int i) { return map->entries.at[i].key; }

void *map_value(const Map *map, int i) { return map->entries.at[i].value; }

const char *arena_intern(Map *pool, const char *text)
{
    size_t size = strlen(text) + 1;
    int number = *slot_of(pool, text, size, hash_bytes(text, size));
    if (number) return pool->entries.at[number - 1].key;
    map_set(pool, text, NULL);
    return pool->entries.at[pool->entries.count - 1].key;
}
