/* files_cursor.c - one chunk of a file: its lines, their times, and which of them are wanted. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/match/text_search.h"
#include "querier/local/files_source_priv.h"

struct files_cursor {
    struct cw_cursor base;
    struct files_source *source;
    struct files_file *file;
    const struct cw_scan *scan;
    struct files_room *room;
    size_t at; /* rows that were given */
};

/* A chunk being read. */
struct walk {
    struct files_source *source;
    struct files_file *file;
    size_t chunk;
    struct cw_str text;
    struct cw_line_time time;
    const char
        *known_end; /* the lines before it have told their times: the last one's is known_ns */
    int64_t known_ns;
    bool known;
};

static bool read_chunk(struct walk *walk, struct cw_buf *room)
{
    struct cw_err err = {0};
    if (cw_log_file_read(walk->file->log, walk->chunk, room, &walk->text, &err) < 0) {
        files_tell(walk->source, &err);
        return false;
    }
    walk->known_end = walk->text.ptr;
    return true;
}

static void walk_init(struct walk *walk, struct files_source *source, struct files_file *file,
                      size_t chunk)
{
    *walk = (struct walk){.source = source, .file = file, .chunk = chunk};
    cw_line_time_init_like(&walk->time, &file->time);
}

static void tell_long(struct files_source *source, struct files_file *file)
{
    struct cw_err err = {0};
    if (atomic_exchange(&file->told_long, true))
        return;
    cw_err_set(&err, CW_E_TOO_LARGE, "%s: lines of more than %u bytes are left out",
               cw_log_file_name(file->log), CW_LIMIT_LINE_BYTES);
    files_tell(source, &err);
}

/* ---- the time of the line before ---- */

/* The last time among the lines of text[0, len). */
static bool last_time(struct cw_line_time *reader, const char *text, size_t len, int64_t *ns_out)
{
    while (len > 0) {
        if (text[len - 1] == '\n')
            len--;
        const char *newline = len > 0 ? memrchr(text, '\n', len) : NULL;
        size_t begin = newline != NULL ? (size_t)(newline + 1 - text) : 0;
        if (cw_line_time_read(reader, cw_str_make(text + begin, len - begin), ns_out))
            return true;
        len = begin;
    }
    return false;
}

/* Of the lines ahead of the first one with a time. */
static int64_t first_time(struct walk *walk, struct cw_buf *room)
{
    struct cw_str lines, line;
    struct cw_err err;
    int64_t ns;
    if (cw_log_file_read(walk->file->log, 0, room, &lines, &err) == 0)
        while (cw_line_time_next(&lines, &line))
            if (cw_line_time_read(&walk->time, line, &ns))
                return ns;
    return cw_log_file_written_ns(walk->file->log);
}

/* Back over the chunks until one has a time, or is known. A chunk that cannot be read is told when its own turn comes. */
static int64_t carry_ns(struct walk *walk)
{
    struct files_chunk *chunks = walk->file->chunks;
    struct cw_buf room;
    struct cw_str lines;
    struct cw_err err;
    int64_t ns = 0;
    bool found = false;
    size_t i = walk->chunk;
    cw_buf_init(&room, SIZE_MAX);
    for (; !found && i > 0 && !atomic_load(&chunks[i].carried); i--)
        found = cw_log_file_read(walk->file->log, i - 1, &room, &lines, &err) == 0 &&
                last_time(&walk->time, lines.ptr, lines.len, &ns);
    i += found;
    if (!found)
        ns = atomic_load(&chunks[i].carried) ? (int64_t)atomic_load(&chunks[i].carry_ns)
                                             : first_time(walk, &room);
    cw_buf_fini(&room);
    for (; i <= walk->chunk; i++) {
        atomic_store(&chunks[i].carry_ns, ns);
        atomic_store(&chunks[i].carried, true);
    }
    return ns;
}

/* The time of a line, which lies behind those that were asked for before. */
static int64_t time_of(struct walk *walk, struct cw_str line)
{
    int64_t ns;
    const char *end = line.ptr + line.len;
    if (!cw_line_time_read(&walk->time, line, &ns) &&
        !last_time(&walk->time, walk->known_end, (size_t)(line.ptr - walk->known_end), &ns))
        ns = walk->known ? walk->known_ns : carry_ns(walk);
    walk->known = true;
    walk->known_ns = ns;
    walk->known_end = end < walk->text.ptr + walk->text.len ? end + 1 : end;
    return ns;
}

/* ---- rows ---- */

static int passes(const struct cw_scan *scan, struct cw_str line, struct cw_err *err)
{
    for (size_t i = 0; i < scan->nfilters; i++) {
        int rc = cw_line_filter_match(scan->filters[i], line, err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static bool in_range(const struct cw_scan *scan, int64_t ns)
{
    return ns >= scan->start_ns && (ns < scan->end_ns || scan->end_ns == INT64_MAX);
}

static void add_row(struct files_room *room, int64_t ns, struct cw_str line)
{
    if (room->n == room->cap) {
        room->cap = room->cap > 0 ? 2 * room->cap : 4096;
        room->rows = cw_mem_resize(room->rows, room->cap * sizeof *room->rows);
    }
    room->rows[room->n++] = (struct files_row){ns, line};
}

static bool is_long(const struct walk *walk, struct cw_str line)
{
    if (line.len <= CW_LIMIT_LINE_BYTES)
        return false;
    tell_long(walk->source, walk->file);
    return true;
}

/* Every line; so the chunk's bounds are learnt on the way. `scan` NULL: they alone are wanted. */
static int walk_all(struct walk *walk, const struct cw_scan *scan, struct files_room *room,
                    struct cw_err *err)
{
    struct cw_str rest = walk->text, line;
    int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
    while (cw_line_time_next(&rest, &line)) {
        if (is_long(walk, line))
            continue;
        int64_t ns = time_of(walk, line);
        min_ns = CW_MIN(min_ns, ns);
        max_ns = CW_MAX(max_ns, ns);
        if (scan == NULL || !in_range(scan, ns))
            continue;
        int rc = passes(scan, line, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            add_row(room, ns, line);
    }
    struct files_chunk *chunk = &walk->file->chunks[walk->chunk];
    atomic_store(&chunk->min_ns, min_ns);
    atomic_store(&chunk->max_ns, max_ns);
    atomic_store(&chunk->bounds, min_ns <= max_ns ? BOUNDS_KNOWN : BOUNDS_EMPTY);
    return 0;
}

/* ---- lines with a text that one of the filters needs ---- */

struct needles {
    size_t n;
    struct cw_text_search searches[CW_LINE_LITERALS_MAX];
    const char *hits[CW_LINE_LITERALS_MAX]; /* the next one; NULL: none follows */
};

/* The longest text of each operand, when each has one; returns the shortest of those, 0: the filter names none. */
static size_t needles_of(const struct cw_line_filter *filter, struct needles *out)
{
    size_t n = cw_line_filter_noperands(filter), shortest = SIZE_MAX;
    if (cw_line_filter_negated(filter) || n == 0 || n > CW_LINE_LITERALS_MAX)
        return 0;
    for (size_t i = 0; i < n; i++) {
        struct cw_line_operand operand;
        cw_line_filter_operand(filter, i, &operand);
        const struct cw_literal *longest = NULL;
        for (size_t k = 0; k < operand.nliterals; k++)
            if (longest == NULL || operand.literals[k].text.len > longest->text.len)
                longest = &operand.literals[k];
        if (longest == NULL || longest->text.len == 0)
            return 0;
        shortest = CW_MIN(shortest, longest->text.len);
        cw_text_search_init(&out->searches[i], longest->text, longest->nocase);
    }
    out->n = n;
    return shortest;
}

/* Of the filter that names the longest text; n 0: none does. */
static void needles_choose(const struct cw_scan *scan, struct needles *out)
{
    size_t best = 0;
    out->n = 0;
    for (size_t i = 0; i < scan->nfilters; i++) {
        struct needles needles;
        size_t len = needles_of(scan->filters[i], &needles);
        if (len > best) {
            best = len;
            *out = needles;
        }
    }
}

/* The first hit of any from `at` on. */
static const char *needles_next(struct needles *needles, const char *at, const char *end)
{
    const char *first = NULL;
    for (size_t i = 0; i < needles->n; i++) {
        if (needles->hits[i] != NULL && needles->hits[i] < at)
            needles->hits[i] = cw_text_search_find(&needles->searches[i], at, (size_t)(end - at));
        if (needles->hits[i] != NULL && (first == NULL || needles->hits[i] < first))
            first = needles->hits[i];
    }
    return first;
}

static int walk_found(struct walk *walk, const struct cw_scan *scan, struct needles *needles,
                      struct files_room *room, struct cw_err *err)
{
    const char *at = walk->text.ptr, *end = at + walk->text.len, *hit;
    for (size_t i = 0; i < needles->n; i++)
        needles->hits[i] = cw_text_search_find(&needles->searches[i], at, walk->text.len);
    while (at < end && (hit = needles_next(needles, at, end)) != NULL) {
        const char *before = memrchr(at, '\n', (size_t)(hit - at));
        const char *begin = before != NULL ? before + 1 : at;
        const char *newline = memchr(hit, '\n', (size_t)(end - hit));
        struct cw_str line = {begin, (size_t)((newline != NULL ? newline : end) - begin)};
        at = newline != NULL ? newline + 1 : end;
        if (is_long(walk, line))
            continue;
        int rc = passes(scan, line, err);
        if (rc < 0)
            return rc;
        int64_t ns = rc > 0 ? time_of(walk, line) : 0;
        if (rc > 0 && in_range(scan, ns))
            add_row(room, ns, line);
    }
    return 0;
}

/* ---- the cursor ---- */

static int row_cmp(const void *a, const void *b)
{
    const struct files_row *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->line.ptr < y->line.ptr ? -1 : x->line.ptr > y->line.ptr; /* as they came */
}

static void sort_rows(struct files_room *room)
{
    for (size_t i = 1; i < room->n; i++) {
        if (room->rows[i].ts_ns < room->rows[i - 1].ts_ns) {
            qsort(room->rows, room->n, sizeof *room->rows, row_cmp);
            return;
        }
    }
}

static int fill(struct files_cursor *cursor, size_t idx, struct cw_err *err)
{
    struct files_chunk *chunk = &cursor->file->chunks[idx];
    const struct cw_scan *scan = cursor->scan;
    struct needles needles;
    needles_choose(scan, &needles);
    if (needles.n > 0 && atomic_exchange(&chunk->was_read, true) &&
        atomic_load(&chunk->bounds) == BOUNDS_UNKNOWN)
        files_chunk_learn(cursor->source, cursor->file, idx);
    if (!files_chunk_touches(chunk, scan->start_ns, scan->end_ns))
        return 0;
    struct walk walk;
    walk_init(&walk, cursor->source, cursor->file, idx);
    int rc = 0;
    if (read_chunk(&walk, &cursor->room->text)) {
        rc = needles.n > 0 ? walk_found(&walk, scan, &needles, cursor->room, err)
                           : walk_all(&walk, scan, cursor->room, err);
        sort_rows(cursor->room);
    }
    if (cw_log_file_has_long_lines(cursor->file->log))
        tell_long(cursor->source, cursor->file);
    if (scan->stats != NULL) {
        atomic_fetch_add(&scan->stats->blocks_read, 1);
        atomic_fetch_add(&scan->stats->bytes_decompressed, walk.text.len);
        atomic_fetch_add(&scan->stats->rows_matched, cursor->room->n);
    }
    cw_line_time_fini(&walk.time);
    return rc;
}

void files_chunk_learn(struct files_source *source, struct files_file *file, size_t chunk)
{
    struct files_room *room = files_room_take(source);
    struct cw_err err;
    struct walk walk;
    walk_init(&walk, source, file, chunk);
    if (!read_chunk(&walk, &room->text) || walk_all(&walk, NULL, room, &err) < 0)
        atomic_store(&file->chunks[chunk].bounds, BOUNDS_EMPTY);
    cw_line_time_fini(&walk.time);
    files_room_give(source, room);
}

static int cursor_next(struct cw_cursor *base, struct cw_entry_batch *out, struct cw_err *err)
{
    struct files_cursor *cursor = CW_CONTAINER_OF(base, struct files_cursor, base);
    struct files_room *room = cursor->room;
    if (cursor->scan->cancel != NULL && atomic_load(cursor->scan->cancel))
        return cw_err_set(err, CW_E_CANCELED, "cancelled");
    size_t n = CW_MIN(room->n - cursor->at, (size_t)FILES_BATCH_ROWS);
    for (size_t i = 0; i < n; i++) {
        size_t at = cursor->at + i;
        const struct files_row *row =
            &room->rows[cursor->scan->newest_first ? room->n - 1 - at : at];
        room->ts_ns[i] = row->ts_ns;
        room->lines[i] = row->line;
        room->sizes[i] = (uint32_t)row->line.len;
    }
    cursor->at += n;
    *out = (struct cw_entry_batch){.stream = cursor->file->stream,
                                   .n = n,
                                   .ts_ns = room->ts_ns,
                                   .lines = room->lines,
                                   .sizes = room->sizes};
    return n > 0;
}

static void cursor_close(struct cw_cursor *base)
{
    struct files_cursor *cursor = CW_CONTAINER_OF(base, struct files_cursor, base);
    files_room_give(cursor->source, cursor->room);
    free(cursor);
}

static const struct cw_cursor_ops cursor_ops = {cursor_next, cursor_close};

int files_cursor_open(struct files_source *source, struct files_file *file, size_t chunk,
                      const struct cw_scan *scan, struct cw_cursor **out, struct cw_err *err)
{
    struct files_cursor *cursor = cw_mem_new(sizeof *cursor);
    *cursor =
        (struct files_cursor){.base = {&cursor_ops}, .source = source, .file = file, .scan = scan};
    cursor->room = files_room_take(source);
    int rc = fill(cursor, chunk, err);
    if (rc < 0) {
        cursor_close(&cursor->base);
        return rc;
    }
    *out = &cursor->base;
    return 0;
}
