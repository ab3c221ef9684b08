/* part_reader.c - open a part and check its outer structure; streams and selections are decoded when they are asked for. */
#include "common/store/part_reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/section_kinds.h"

/* Selections that a part keeps: one for each of the queries that a dashboard runs at once. */
enum { SELECTIONS_KEPT = 4 };
/* What is kept of a block: TEXT, TIMES, ROWS, lines of a few rows, grams of TEXT. */
enum { BLOCK_SLOTS = 5 };

struct cw_part_selection {
    atomic_int refs;
    struct cw_hash128 key; /* of the selector's text */
    struct cw_stream_set set;
    struct cw_err damage; /* code 0: none */
};

struct cw_part_reader {
    char *path;             /* NULL: bytes without a name */
    struct cw_file_map map; /* ptr NULL: the bytes are the caller's */
    struct cw_str bytes;
    atomic_bool is_cut; /* within the last page */
    struct cw_part_footer footer;
    uint64_t *replaced; /* aligned copy */
    struct cw_str regions[CW_REGIONS];
    uint64_t checksums[CW_REGIONS];
    struct cw_postings postings;
    uint32_t ngroups;
    struct cw_part_cache *cache; /* NULL: what is decoded is not kept */
    struct cw_cache_slot *slots; /* the cache's: one a group, BLOCK_SLOTS a block */
    pthread_mutex_t lock;        /* guards selections[] */
    struct cw_part_selection *selections[SELECTIONS_KEPT]; /* newest first */
};

static int about_part(const struct cw_part_reader *r, struct cw_err *err)
{
    return r->path != NULL ? cw_err_wrap(err, "part %s", r->path) : err->code;
}

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "%s", what);
}

static int versions_check(const uint8_t *footer, struct cw_err *err)
{
    unsigned major = cw_get16(footer + 8), minor = cw_get16(footer + 10);
    if (major > CW_PART_MAJOR)
        return cw_err_set(err, CW_E_CORRUPT,
                          "part format %u.%u is newer than %u.%u, which this program reads", major,
                          minor, CW_PART_MAJOR, CW_PART_MINOR);
    uint32_t unknown = cw_get32(footer + 16) & ~(uint32_t)CW_PART_INCOMPAT_KNOWN;
    if (unknown != 0)
        return cw_err_set(err, CW_E_CORRUPT,
                          "it needs features 0x%x, which this program does not have", unknown);
    return 0;
}

static int footer_read(struct cw_part_reader *r, const uint8_t **out, struct cw_err *err)
{
    if (r->bytes.len < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return bad(err, "too short for a part");
    const uint8_t *h = (const uint8_t *)r->bytes.ptr;
    const uint8_t *f = h + r->bytes.len - CW_PART_FOOTER_BYTES;
    if (cw_get64(h) != CW_PART_MAGIC)
        return bad(err, "not a part: the magic at its front is wrong");
    if (cw_get64(f) != CW_PART_MAGIC || cw_get64(f + 248) != CW_PART_MAGIC)
        return bad(err, "no footer at the end: it was never finished, or it is cut");
    if (cw_hash64(f, 240) != cw_get64(f + 240))
        return bad(err, "the footer's checksum is wrong");
    int rc = versions_check(f, err);
    if (rc < 0)
        return rc;
    *out = f;
    struct cw_part_footer *p = &r->footer;
    p->file_bytes = r->bytes.len;
    p->info.level = f[12];
    p->info.id = cw_get64(f + 24);
    p->info.wal_first = cw_get64(f + 32);
    p->info.wal_last = cw_get64(f + 40);
    p->rows = cw_get64(f + 48);
    p->raw_bytes = cw_get64(f + 56);
    p->min_ns = (int64_t)cw_get64(f + 64);
    p->max_ns = (int64_t)cw_get64(f + 72);
    p->nblocks = cw_get32(f + 80);
    p->nstreams = cw_get32(f + 84);
    p->info.day = (int32_t)cw_get32(f + 88);
    p->info.flush_parts = cw_get32(f + 92);
    p->info.flush_id = cw_get64(f + 216);
    return 0;
}

static int region_check(const struct cw_part_reader *r, enum cw_part_region i, struct cw_err *err)
{
    cw_file_will_read(r->regions[i]);
    if (cw_hash64(r->regions[i].ptr, r->regions[i].len) != r->checksums[i])
        return cw_err_set(err, CW_E_CORRUPT, "the checksum of the %s is wrong",
                          cw_part_region_name(i));
    return 0;
}

static int regions_find(struct cw_part_reader *r, const uint8_t *footer, struct cw_err *err)
{
    uint64_t end = r->bytes.len - CW_PART_FOOTER_BYTES;
    for (int i = 0; i < CW_REGIONS; i++) {
        const uint8_t *entry = footer + 96 + 24 * i;
        uint64_t off = cw_get64(entry), len = cw_get64(entry + 8);
        if (off < CW_PART_HEADER_BYTES || off > end || len > end - off)
            return cw_err_set(err, CW_E_CORRUPT, "the %s lies outside the file",
                              cw_part_region_name(i));
        r->regions[i] = cw_str_make(r->bytes.ptr + off, len);
        r->checksums[i] = cw_get64(entry + 16);
    }
    int rc = region_check(r, CW_REGION_BLOCKS, err);
    return rc < 0 ? rc : region_check(r, CW_REGION_ORIGIN, err);
}

static int front_check(struct cw_str front, uint64_t checksum, const char *what, struct cw_err *err)
{
    cw_file_will_read(front);
    if (cw_hash64(front.ptr, front.len) != checksum)
        return cw_err_set(err, CW_E_CORRUPT, "the checksum of the %s is wrong", what);
    return 0;
}

/* The directories of streams and postings. Format 1.0 has no checksums of these alone. */
static int index_open(struct cw_part_reader *r, const uint8_t *footer, struct cw_err *err)
{
    struct cw_str streams = r->regions[CW_REGION_STREAMS];
    uint32_t nstreams = r->footer.nstreams;
    bool whole = cw_get16(footer + 10) < 1;
    int rc = cw_stream_table_check(streams, nstreams, err);
    if (rc == 0)
        rc = cw_postings_open(r->regions[CW_REGION_POSTINGS], nstreams,
                              whole ? CW_POSTINGS_PLAIN : CW_POSTINGS_FENCED, &r->postings, err);
    if (rc == 0 && whole)
        rc = region_check(r, CW_REGION_STREAMS, err);
    if (rc == 0 && whole)
        return region_check(r, CW_REGION_POSTINGS, err);
    if (rc == 0)
        rc = front_check(cw_stream_table_front(streams, nstreams), cw_get64(footer + 224),
                         "directory of streams", err);
    if (rc == 0)
        rc = front_check(cw_postings_front(&r->postings), cw_get64(footer + 232),
                         "directory of postings", err);
    return rc;
}

static int origin_read(struct cw_part_reader *r, struct cw_err *err)
{
    struct cw_str o = r->regions[CW_REGION_ORIGIN];
    if (o.len < 2)
        return bad(err, "no origin");
    size_t len = cw_get16(o.ptr);
    if (o.len < 2 + len + 4)
        return bad(err, "the origin is cut");
    uint32_t n = cw_get32(o.ptr + 2 + len);
    if (n > CW_PART_REPLACED_MAX || o.len != 2 + len + 4 + (size_t)n * 8)
        return bad(err, "the list of replaced parts is cut");
    r->replaced = cw_mem_array((size_t)n + 1, sizeof(*r->replaced));
    memcpy(r->replaced, o.ptr + 2 + len + 4, (size_t)n * 8);
    r->footer.info.tenant = cw_str_make(o.ptr + 2, len);
    r->footer.info.replaced = r->replaced;
    r->footer.info.nreplaced = n;
    return 0;
}

struct cw_part_block cw_part_reader_block(const struct cw_part_reader *r, uint32_t i)
{
    CW_ASSERT(i < r->footer.nblocks);
    const char *e = r->regions[CW_REGION_BLOCKS].ptr + (size_t)i * CW_PART_BLOCK_ENTRY_BYTES;
    return (struct cw_part_block){
        .offset = cw_get64(e),
        .bytes = cw_get32(e + 8),
        .rows = cw_get32(e + 12),
        .raw_bytes = cw_get32(e + 16),
        .first_stream = cw_get32(e + 24),
        .last_stream = cw_get32(e + 28),
        .min_ns = (int64_t)cw_get64(e + 32),
        .max_ns = (int64_t)cw_get64(e + 40),
    };
}

/* `end`: of the blocks, at most. */
static int blocks_check(struct cw_part_reader *r, uint64_t end, struct cw_err *err)
{
    const struct cw_part_footer *f = &r->footer;
    if (f->nblocks > CW_PART_BLOCKS_MAX ||
        r->regions[CW_REGION_BLOCKS].len != (uint64_t)f->nblocks * CW_PART_BLOCK_ENTRY_BYTES)
        return bad(err, "the block table's size is wrong");
    for (uint32_t i = 0; i < f->nblocks; i++) {
        struct cw_part_block b = cw_part_reader_block(r, i);
        if (b.offset < CW_PART_HEADER_BYTES || b.offset > end || b.bytes > end - b.offset ||
            b.first_stream > b.last_stream || b.last_stream >= f->nstreams || b.min_ns > b.max_ns ||
            b.rows > CW_BLOCK_ROWS_MAX)
            return cw_err_set(err, CW_E_CORRUPT,
                              "block %u lies outside the file, or its streams outside the table",
                              i);
    }
    return 0;
}

static int part_check(struct cw_part_reader *r, struct cw_err *err)
{
    const uint8_t *footer = NULL;
    int rc = footer_read(r, &footer, err);
    if (rc == 0)
        rc = regions_find(r, footer, err);
    if (rc == 0)
        rc = origin_read(r, err);
    if (rc == 0)
        rc = blocks_check(r, r->bytes.len - CW_PART_FOOTER_BYTES, err);
    if (rc == 0)
        rc = index_open(r, footer, err);
    if (rc < 0)
        return rc;
    r->ngroups = (r->footer.nstreams + CW_PART_STREAM_GROUP - 1) / CW_PART_STREAM_GROUP;
    return 0;
}

static struct cw_part_reader *reader_new(const char *path)
{
    struct cw_part_reader *r = cw_mem_new(sizeof(*r));
    r->path = path != NULL ? cw_str_dupz(cw_str_of(path)) : NULL;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static int reader_finish(struct cw_part_reader *r, struct cw_part_reader **out, struct cw_err *err)
{
    int rc = part_check(r, err);
    if (rc == 0 && cw_part_reader_look_lost(r))
        rc = bad(err, "the file was cut while it was opened, or the disk failed");
    if (rc < 0) {
        about_part(r, err);
        cw_part_reader_close(&r);
        return rc;
    }
    *out = r;
    return 0;
}

int cw_part_reader_open(const char *path, struct cw_part_reader **out, struct cw_err *err)
{
    struct cw_part_reader *r = reader_new(path);
    int rc = cw_file_map_or_copy(path, &r->map, err);
    if (rc < 0) {
        cw_part_reader_close(&r);
        return rc;
    }
    cw_file_map_random(&r->map);
    r->bytes = cw_str_make(r->map.ptr, r->map.len);
    return reader_finish(r, out, err);
}

int cw_part_reader_open_bytes(const char *name, struct cw_str bytes, struct cw_part_reader **out,
                              struct cw_err *err)
{
    struct cw_part_reader *r = reader_new(name);
    r->bytes = bytes;
    return reader_finish(r, out, err);
}

int cw_part_reader_open_pieces(const char *name, struct cw_str bytes,
                               const struct cw_part_pieces *pieces, struct cw_part_reader **out,
                               struct cw_err *err)
{
    struct cw_part_reader *r = reader_new(name);
    r->bytes = bytes;
    r->footer = pieces->footer;
    memcpy(r->regions, pieces->regions, sizeof(r->regions));
    r->ngroups = (r->footer.nstreams + CW_PART_STREAM_GROUP - 1) / CW_PART_STREAM_GROUP;
    int rc = cw_stream_table_check(r->regions[CW_REGION_STREAMS], r->footer.nstreams, err);
    if (rc == 0)
        rc = cw_postings_open(r->regions[CW_REGION_POSTINGS], r->footer.nstreams,
                              CW_POSTINGS_FENCED, &r->postings, err);
    if (rc == 0)
        rc = blocks_check(r, bytes.len, err);
    if (rc < 0) {
        about_part(r, err);
        cw_part_reader_close(&r);
        return rc;
    }
    *out = r;
    return 0;
}

void cw_part_reader_rest(const struct cw_part_reader *r)
{
    cw_file_map_rest(&r->map);
}

bool cw_part_reader_lost(const struct cw_part_reader *r)
{
    return cw_file_map_lost(&r->map) || atomic_load_explicit(&r->is_cut, memory_order_relaxed);
}

bool cw_part_reader_look_lost(struct cw_part_reader *r)
{
    if (r->map.ptr != NULL && cw_file_map_is_cut(&r->map, r->path))
        atomic_store_explicit(&r->is_cut, true, memory_order_relaxed);
    return cw_part_reader_lost(r);
}

void cw_part_reader_rest_block(const struct cw_part_reader *r, uint32_t i)
{
    if (r->map.ptr != NULL && !r->map.is_copy)
        cw_file_rest(cw_part_reader_block_bytes(r, i));
}

static size_t slots_count(const struct cw_part_reader *r)
{
    return (size_t)r->ngroups + BLOCK_SLOTS * (size_t)r->footer.nblocks;
}

void cw_part_reader_close(struct cw_part_reader **reader)
{
    struct cw_part_reader *r = *reader;
    *reader = NULL;
    if (r == NULL)
        return;
    if (r->slots != NULL)
        cw_part_cache_drop(r->cache, r->slots, slots_count(r));
    free(r->slots);
    for (size_t i = 0; i < SELECTIONS_KEPT; i++)
        cw_part_selection_unref(&r->selections[i]);
    pthread_mutex_destroy(&r->lock);
    if (r->map.ptr != NULL)
        cw_file_unmap(&r->map);
    free(r->replaced);
    free(r->path);
    free(r);
}

const char *cw_part_reader_path(const struct cw_part_reader *r)
{
    return r->path;
}

int64_t cw_part_reader_written_ns(const struct cw_part_reader *r)
{
    return r->map.written_ns;
}

const struct cw_part_footer *cw_part_reader_footer(const struct cw_part_reader *r)
{
    return &r->footer;
}

struct cw_str cw_part_reader_block_bytes(const struct cw_part_reader *r, uint32_t i)
{
    struct cw_part_block b = cw_part_reader_block(r, i);
    return cw_str_make(r->bytes.ptr + b.offset, b.bytes);
}

struct cw_str cw_part_reader_block_filter(const struct cw_part_reader *r, uint32_t i)
{
    CW_ASSERT(i < r->footer.nblocks);
    const char *e = r->regions[CW_REGION_BLOCKS].ptr + (size_t)i * CW_PART_BLOCK_ENTRY_BYTES;
    struct cw_str filters = r->regions[CW_REGION_FILTERS];
    uint32_t place = cw_get32(e + 20);
    return place == 0 ? CW_STR_NONE : cw_str_sub(filters, place - 1, filters.len);
}

struct cw_str cw_part_reader_region(const struct cw_part_reader *r, enum cw_part_region region)
{
    return r->regions[region];
}

uint64_t cw_part_reader_region_offset(const struct cw_part_reader *r, enum cw_part_region region)
{
    return (uint64_t)(r->regions[region].ptr - r->bytes.ptr);
}

/* ---- streams ---- */

void cw_part_reader_use_cache(struct cw_part_reader *r, struct cw_part_cache *cache)
{
    CW_ASSERT(r->cache == NULL);
    r->cache = cache;
    r->slots = cw_mem_array(slots_count(r) + 1, sizeof(*r->slots));
}

static struct cw_cache_place place_of(const struct cw_part_reader *r, size_t slot)
{
    if (r->cache == NULL)
        return (struct cw_cache_place){0};
    return (struct cw_cache_place){.cache = r->cache, .slot = &r->slots[slot]};
}

static struct cw_cache_place block_place(const struct cw_part_reader *r, uint32_t i, size_t what)
{
    CW_ASSERT(i < r->footer.nblocks);
    return place_of(r, (size_t)r->ngroups + BLOCK_SLOTS * (size_t)i + what);
}

struct cw_cache_place cw_part_reader_text_place(const struct cw_part_reader *r, uint32_t i)
{
    return block_place(r, i, 0);
}

struct cw_cache_place cw_part_reader_times_place(const struct cw_part_reader *r, uint32_t i)
{
    return block_place(r, i, 1);
}

struct cw_cache_place cw_part_reader_rows_place(const struct cw_part_reader *r, uint32_t i)
{
    return block_place(r, i, 2);
}

struct cw_cache_place cw_part_reader_lines_place(const struct cw_part_reader *r, uint32_t i)
{
    return block_place(r, i, 3);
}

struct cw_cache_place cw_part_reader_grams_place(const struct cw_part_reader *r, uint32_t i)
{
    struct cw_cache_place place = block_place(r, i, 4);
    place.is_index = true;
    return place;
}

/* With a reference of its own. */
static int group_get(struct cw_part_reader *r, uint32_t group, bool once,
                     struct cw_stream_group **out, struct cw_err *err)
{
    struct cw_cache_place place = place_of(r, group);
    struct cw_cached *kept = cw_part_cache_get(place);
    if (kept == NULL) {
        int rc = cw_stream_table_group(r->regions[CW_REGION_STREAMS], r->footer.nstreams, group,
                                       out, err);
        if (rc < 0)
            return about_part(r, err);
        kept = once ? &(*out)->base : cw_part_cache_put(place, &(*out)->base);
    }
    *out = CW_CONTAINER_OF(kept, struct cw_stream_group, base);
    return 0;
}

int cw_part_reader_stream(struct cw_part_reader *r, uint32_t number, struct cw_stream_pin *pin,
                          const struct cw_part_stream **out, struct cw_err *err)
{
    CW_ASSERT(number < r->footer.nstreams);
    uint32_t group = number / CW_PART_STREAM_GROUP;
    if (pin->group == NULL || pin->group->first != group * CW_PART_STREAM_GROUP) {
        cw_stream_pin_fini(pin);
        int rc = group_get(r, group, pin->once, &pin->group, err);
        if (rc < 0)
            return rc;
    }
    *out = &pin->group->streams[number % CW_PART_STREAM_GROUP];
    return 0;
}

void cw_stream_pin_fini(struct cw_stream_pin *pin)
{
    cw_stream_group_unref(&pin->group);
}

/* ---- selections ---- */

const struct cw_postings *cw_part_reader_postings(const struct cw_part_reader *r)
{
    return &r->postings;
}

static struct cw_hash128 selector_key(const struct cw_selector *selector)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; selector != NULL && i < selector->n; i++) {
        const struct cw_matcher *m = &selector->items[i];
        uint64_t head[3] = {m->op, m->name.len, m->value.len};
        cw_buf_add(&text, head, sizeof(head));
        cw_buf_adds(&text, m->name);
        cw_buf_adds(&text, m->value);
    }
    struct cw_hash128 key = cw_hash128(text.len > 0 ? text.ptr : "", text.len);
    cw_buf_fini(&text);
    return key;
}

static struct cw_part_selection *selection_ref(struct cw_part_selection *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static struct cw_part_selection *selection_find(struct cw_part_reader *r, struct cw_hash128 key)
{
    struct cw_part_selection *found = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < SELECTIONS_KEPT && found == NULL; i++)
        if (r->selections[i] != NULL && cw_hash128_eq(r->selections[i]->key, key))
            found = selection_ref(r->selections[i]);
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void selection_keep(struct cw_part_reader *r, struct cw_part_selection *s)
{
    pthread_mutex_lock(&r->lock);
    struct cw_part_selection *oldest = r->selections[SELECTIONS_KEPT - 1];
    memmove(&r->selections[1], &r->selections[0], (SELECTIONS_KEPT - 1) * sizeof(r->selections[0]));
    r->selections[0] = selection_ref(s);
    pthread_mutex_unlock(&r->lock);
    cw_part_selection_unref(&oldest);
}

/* The set from the streams' labels. */
static int select_by_labels(struct cw_part_reader *r, const struct cw_selector *selector,
                            struct cw_stream_set *out, struct cw_err *err)
{
    struct cw_stream_pin pin = {0};
    int rc = 0;
    cw_stream_set_init(out, r->footer.nstreams);
    for (uint32_t i = 0; rc >= 0 && i < r->footer.nstreams; i++) {
        const struct cw_part_stream *stream;
        struct cw_err why;
        if (cw_part_reader_stream(r, i, &pin, &stream, &why) < 0) {
            i |= CW_PART_STREAM_GROUP - 1;
            continue;
        }
        rc = cw_selector_match(selector, stream->ref.labels, err);
        if (rc > 0)
            cw_stream_set_add_run(out, i, 1);
    }
    cw_stream_pin_fini(&pin);
    if (rc < 0)
        cw_stream_set_fini(out);
    return rc < 0 ? rc : 0;
}

int cw_part_reader_select(struct cw_part_reader *r, const struct cw_selector *selector,
                          struct cw_part_selection **out, struct cw_err *err)
{
    struct cw_hash128 key = selector_key(selector);
    *out = selection_find(r, key);
    if (*out != NULL)
        return 0;
    struct cw_part_selection *s = cw_mem_new(sizeof(*s));
    int rc = cw_postings_select(&r->postings, selector, &s->set, &s->damage);
    if (rc == CW_E_CORRUPT)
        rc = select_by_labels(r, selector, &s->set, err);
    else if (rc < 0)
        *err = s->damage;
    if (rc < 0) {
        about_part(r, err);
        free(s);
        return rc;
    }
    s->key = key;
    atomic_init(&s->refs, 1);
    selection_keep(r, s);
    *out = s;
    return 0;
}

const struct cw_err *cw_part_selection_damage(const struct cw_part_selection *selection)
{
    return selection->damage.code < 0 ? &selection->damage : NULL;
}

const struct cw_stream_set *cw_part_selection_set(const struct cw_part_selection *selection)
{
    return &selection->set;
}

void cw_part_selection_unref(struct cw_part_selection **selection)
{
    struct cw_part_selection *s = *selection;
    *selection = NULL;
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    cw_stream_set_fini(&s->set);
    free(s);
}
