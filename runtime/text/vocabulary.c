/* The hash table behind every tokenizer. */
#include "runtime/text/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *rt_grow(void *block, int64_t *room, int64_t wanted, int64_t item)
{
    if (wanted <= *room && block) return block;
    int64_t next = *room + *room / 2 + 16;
    if (next < wanted) next = wanted;
    void *grown = next <= INT64_MAX / item ? realloc(block, (size_t)(next * item)) : NULL;
    if (!grown) {
        fprintf(stderr, "ptm: out of memory: %lld bytes more are not to be had\n", (long long)(next * item));
        exit(1);
    }
    *room = next;
    return grown;
}

int text_compare(RtText a, RtText b)
{
    int64_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.bytes, b.bytes, (size_t)shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool text_equal(RtText a, RtText b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, (size_t)a.size) == 0);
}

/* FNV-1a, its high half folded in because slots are taken from the low bits. */
static uint64_t text_hash(RtText t)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (int64_t i = 0; i < t.size; i++) h = (h ^ (unsigned char)t.bytes[i]) * 0x100000001B3u;
    return h ^ h >> 32;
}

void vocabulary_init(Vocabulary *v)
{
    *v = (Vocabulary){ 0 };
    int64_t offsets = 0, room = 0;
    v->slots = rt_grow(NULL, &room, 64, sizeof *v->slots);
    v->slot_count = 64;
    memset(v->slots, 0, 64 * sizeof *v->slots);
    v->at = rt_grow(NULL, &offsets, 1, sizeof *v->at);
    v->at[0] = 0;
    v->room = (int32_t)offsets - 1;
    room = 0;
    v->counts = rt_grow(NULL, &room, v->room, sizeof *v->counts);
    v->bytes = rt_grow(NULL, &v->bytes_room, 64, 1);
}

void vocabulary_free(Vocabulary *v)
{
    free(v->bytes);
    free(v->at);
    free(v->counts);
    free(v->slots);
    *v = (Vocabulary){ 0 };
}

RtText vocabulary_piece(const Vocabulary *v, int32_t id)
{
    return (RtText){ v->bytes + v->at[id], v->at[id + 1] - v->at[id] };
}

/* The slot that holds the piece, or the free one where it belongs. */
static int64_t slot_of(const Vocabulary *v, RtText piece)
{
    int64_t mask = v->slot_count - 1, slot = (int64_t)(text_hash(piece) & (uint64_t)mask);
    while (v->slots[slot] && !text_equal(vocabulary_piece(v, v->slots[slot] - 1), piece)) slot = (slot + 1) & mask;
    return slot;
}

int32_t vocabulary_find(const Vocabulary *v, RtText piece)
{
    if (piece.size == 1) return v->single[(unsigned char)piece.bytes[0]] - 1;
    return v->slots[slot_of(v, piece)] - 1;
}

static void rehash(Vocabulary *v)
{
    int64_t room = 0;
    v->slot_count *= 2;
    free(v->slots);
    v->slots = rt_grow(NULL, &room, v->slot_count, sizeof *v->slots);
    memset(v->slots, 0, (size_t)v->slot_count * sizeof *v->slots);
    for (int32_t id = 0; id < v->size; id++) v->slots[slot_of(v, vocabulary_piece(v, id))] = id + 1;
}

static int32_t append(Vocabulary *v, RtText piece)
{
    int32_t id = v->size;
    int64_t offsets = v->room + 1, counts = v->room, end = v->at[id] + piece.size;
    v->at = rt_grow(v->at, &offsets, (int64_t)id + 2, sizeof *v->at);
    v->counts = rt_grow(v->counts, &counts, offsets - 1, sizeof *v->counts);
    v->room = (int32_t)(offsets - 1);
    v->bytes = rt_grow(v->bytes, &v->bytes_room, end, 1);
    if (piece.size) memcpy(v->bytes + v->at[id], piece.bytes, (size_t)piece.size);
    v->at[id + 1] = end;
    v->counts[id] = 0;
    v->size++;
    return id;
}

/* A piece that is new, at its slot. */
static int32_t insert(Vocabulary *v, RtText piece, int64_t slot)
{
    int32_t id = append(v, piece);
    v->slots[slot] = id + 1;
    if (piece.size == 1) v->single[(unsigned char)piece.bytes[0]] = id + 1;
    if ((int64_t)v->size * 2 > v->slot_count) rehash(v);
    return id;
}

int32_t vocabulary_add(Vocabulary *v, RtText piece, int64_t count)
{
    int32_t id = piece.size == 1 ? vocabulary_find(v, piece) : -1;
    if (id < 0) {
        int64_t slot = slot_of(v, piece);
        id = v->slots[slot] ? v->slots[slot] - 1 : insert(v, piece, slot);
    }
    v->counts[id] += count;
    return id;
}
