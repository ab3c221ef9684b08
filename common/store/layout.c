/* layout.c - find a template's slots, and give each its column. */
#include "common/store/layout.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

enum {
    KEY_TEXT_BYTES = 8,  /* of the text before a slot that tell what it means: `"size": ` */
    KEY_ALONE_BYTES = 4, /* shorter ones (a dash in a date) say nothing without the slot before */
    TABLE_MIN = 256,
};

const char *cw_slot_name(unsigned type)
{
    static const char *const names[] = {
        [CW_SLOT_TIME] = "time",
        [CW_SLOT_TIME_DOT_MS] = "time.ms",
        [CW_SLOT_TIME_COMMA_MS] = "time,ms",
        [CW_SLOT_IP4] = "ip4",
        [CW_SLOT_DEC] = "dec",
        [CW_SLOT_NUM] = "num",
        [CW_SLOT_HEX] = "hex",
        [CW_SLOT_HEX32] = "hex32",
        [CW_SLOT_UUID] = "uuid",
        [CW_SLOT_STR] = "str",
        [CW_SLOT_QUOTED] = "quoted",
        [CW_SLOT_RAW] = "raw",
    };
    return type < CW_COUNT(names) ? names[type] : NULL;
}

void cw_layout_init(struct cw_layout *l)
{
    *l = (struct cw_layout){0};
}

void cw_layout_fini(struct cw_layout *l)
{
    free(l->templates);
    free(l->slots);
    free(l->columns);
    free(l->table);
    cw_layout_init(l);
}

void cw_layout_clear(struct cw_layout *l)
{
    l->ntemplates = l->nslots = l->ncolumns = 0;
    if (l->table != NULL)
        memset(l->table, 0, l->table_size * sizeof(*l->table));
}

static void *grow(void *items, uint32_t *cap, uint32_t n, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap == 0 ? 64 : *cap * 2;
    return cw_mem_resize(items, *cap * size);
}

/* Where the column stands in the table, or the free place where it would. */
static uint32_t place_of(const struct cw_layout *l, uint64_t key, uint8_t type)
{
    uint32_t mask = l->table_size - 1, place = (uint32_t)key & mask;
    for (; l->table[place] != 0; place = (place + 1) & mask) {
        const struct cw_layout_column *c = &l->columns[l->table[place] - 1];
        if (c->key == key && c->type == type)
            break;
    }
    return place;
}

static void table_grow(struct cw_layout *l)
{
    if (l->table_size > 2 * l->ncolumns)
        return;
    l->table_size = CW_MAX(l->table_size * 2, (uint32_t)TABLE_MIN);
    free(l->table);
    l->table = cw_mem_array(l->table_size, sizeof(*l->table));
    for (uint32_t i = 0; i < l->ncolumns; i++)
        l->table[place_of(l, l->columns[i].key, l->columns[i].type)] = (uint16_t)(i + 1);
}

/* The number of the column; CW_BLOCK_COLUMNS_MAX when there are too many. */
static uint32_t column_of(struct cw_layout *l, uint64_t key, uint8_t type)
{
    table_grow(l);
    uint32_t place = place_of(l, key, type);
    if (l->table[place] != 0)
        return l->table[place] - 1u;
    if (l->ncolumns == CW_BLOCK_COLUMNS_MAX)
        return CW_BLOCK_COLUMNS_MAX;
    l->columns = grow(l->columns, &l->columns_cap, l->ncolumns, sizeof(*l->columns));
    l->columns[l->ncolumns++] = (struct cw_layout_column){key, type};
    l->table[place] = (uint16_t)l->ncolumns;
    return l->ncolumns - 1;
}

/* The steps of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* What the text before a slot, back to the slot before, says of its column. */
static uint64_t key_of(struct cw_str gap, uint8_t type, uint64_t key_before)
{
    size_t n = CW_MIN(gap.len, (size_t)KEY_TEXT_BYTES);
    uint64_t text = 0;
    memcpy(&text, gap.ptr + (gap.len - n), n);
    uint64_t before = gap.len < KEY_ALONE_BYTES ? key_before : 0;
    return mix(mix(text) + before + (uint64_t)n * 32 + type);
}

/* The first byte at or behind `at` that is reserved; text.len when there is none. */
static size_t next_reserved(struct cw_str text, size_t at)
{
    for (; text.len - at >= 8; at += 8) {
        uint64_t w; /* has it a byte under 0x12? */
        memcpy(&w, text.ptr + at, 8);
        if (((w - UINT64_C(0x1212121212121212)) & ~w & UINT64_C(0x8080808080808080)) == 0)
            continue;
        for (size_t i = at; i < at + 8; i++)
            if (cw_slot_reserved((unsigned char)text.ptr[i]))
                return i;
    }
    while (at < text.len && !cw_slot_reserved((unsigned char)text.ptr[at]))
        at++;
    return at;
}

/* Columns that came last leave first, so that no other is looked for past a place that becomes free. */
static void roll_back(struct cw_layout *l, uint32_t nslots, uint32_t ncolumns)
{
    l->nslots = nslots;
    for (; l->ncolumns > ncolumns; l->ncolumns--) {
        const struct cw_layout_column *c = &l->columns[l->ncolumns - 1];
        l->table[place_of(l, c->key, c->type)] = 0;
    }
}

int cw_layout_add(struct cw_layout *l, struct cw_str text, struct cw_err *err)
{
    if (l->ntemplates == CW_BLOCK_TEMPLATES_MAX)
        return cw_err_set(err, CW_E_LIMIT, "more than %u templates", CW_BLOCK_TEMPLATES_MAX);
    uint32_t first = l->nslots, ncolumns = l->ncolumns, gap = 0;
    uint64_t key = 0;
    for (size_t i = 0; (i = next_reserved(text, i)) < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == 0 || (c == CW_SLOT_RAW && text.len != 1)) {
            roll_back(l, first, ncolumns);
            return cw_err_set(err, CW_E_CORRUPT, "template: a byte 0x%02x, which none holds", c);
        }
        key = key_of(cw_str_sub(text, gap, i), c, key);
        uint32_t column = column_of(l, key, c);
        if (column == CW_BLOCK_COLUMNS_MAX || l->nslots == CW_BLOCK_SLOTS_MAX ||
            l->nslots - first == CW_TEMPLATE_SLOTS_MAX) {
            roll_back(l, first, ncolumns);
            return cw_err_set(err, CW_E_LIMIT, "template: too many columns or slots");
        }
        l->slots = grow(l->slots, &l->slots_cap, l->nslots, sizeof(*l->slots));
        l->slots[l->nslots++] = (struct cw_slot){(uint32_t)i, (uint16_t)column, c};
        gap = (uint32_t)i + 1;
    }
    l->slots = grow(l->slots, &l->slots_cap, l->nslots, sizeof(*l->slots));
    l->templates = grow(l->templates, &l->templates_cap, l->ntemplates, sizeof(*l->templates));
    l->templates[l->ntemplates++] = (struct cw_template){text, first, l->nslots - first};
    return 0;
}
