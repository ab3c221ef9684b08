/*
 * sources_generations.c - sources.c, the part that finds out which compressed file holds what, at the
 * end of a scan, for logs that were rotated.
 *
 * A rotation that compresses makes x.log.2.gz of x.log.1, and removes that. For a compressed file that
 * is no source's there are these answers:
 *   joined   A source vanished, and this is its text: it goes on there, at the same offsets. As long
 *            as the deleted file is open, every byte is compared, and what is read is still that one;
 *            else it is told by its first bytes. Of several the one that was written first.
 *   new      Nobody has met it: it was written, rotated and compressed between two scans. It is
 *            a source from its beginning on. Only what is younger than `looked_ns`, both born and
 *            written, is taken so: an older one was read and is forgotten, or was there before us.
 *   waits    It is being written, or has the text of a file that is still there (but by its name it is
 *            made of one that is a source: that finds it when it vanishes), or the folder changes while
 *            it is listed, or no target has the log yet. The log is looked at again in the next scan.
 *   copy     It has waited for CW_SOURCES_COPY_NS beside a file with its text (gzip -k): left alone. Of a link to a file that is
 *            there under another name (LINK_BYTES_MIN at least), at once.
 *
 * looked_ns  is when the scan before the last one began, less CW_SOURCES_LOOK_MARGIN_NS, and ahead of the birth of all that waits:
 *            what was made until then belongs to rotations that were noticed. A log that was in its place
 *            at a scan was not renamed before; whether it was truncated is known when its size was
 *            looked at, which is between that scan and the next. It is saved in one file with the sources, so a kill at any
 *            point leads back to a state that was true; a source that is new is not pushed before.
 * Remembered A source that was read is not forgotten while its file
 *            - is younger than looked_ns: it would be taken for a new one;
 *            - may by its name, times and first bytes be made of the file of another source, which is not compressed yet: they would
 *              be mixed up when that one is compressed while we are down;
 *            - is the last of its log, and the log's place is empty: of a log that nobody knows what comes next may be rotated
 *              before it is met.
 * Clocks     A file system that tells of no birth is judged by the time of the last change alone,
 *            which compressors keep or set to now: the same holds, but for files that are touched later.
 *            If the clock is set back by little, what is made until it is there again is not taken; by
 *            more (CW_SOURCES_COPY_NS), looked_ns goes back too, and what is from the future is left.
 * Unseen     Rotations that change nothing of what is known are found by sources_unmet.c.
 * Lost       What is removed before a scan met it cannot be known. Of a source whose file and text are
 *            gone the bytes that were seen are counted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/rotated_name.h"
#include "shipper/sources_priv.h"

/* A folder in which files are renamed is listed again, so often at most; then in the next scan. */
enum { LISTINGS_MAX = 8 };
/* As much as a file is known by. */
enum { LINK_BYTES_MIN = CW_FILE_PREFIX_BYTES };

/* ---- times ---- */

struct times {
    int64_t birth_ns, written_ns, changed_ns; /* birth 0: not known */
    struct cw_file_identity file;             /* whose times these are; without the prefix */
    uint64_t size;
};

static int64_t ns_of(const struct statx_timestamp *at)
{
    return at->tv_sec * CW_NS_PER_S + at->tv_nsec;
}

static bool times_read(const char *path, struct times *out)
{
    struct statx st;
    if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st) < 0 || !S_ISREG(st.stx_mode))
        return false;
    int64_t birth_ns = st.stx_mask & STATX_BTIME ? ns_of(&st.stx_btime) : 0;
    *out = (struct times){birth_ns,
                          ns_of(&st.stx_mtime),
                          ns_of(&st.stx_ctime),
                          {.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
                           .ino = st.stx_ino,
                           .birth_ns = birth_ns},
                          st.stx_size};
    return true;
}

/* Some tools keep only the second of the last change. */
static bool is_recent(const struct times *times, int64_t since_ns)
{
    return (times->birth_ns == 0 || times->birth_ns > since_ns) &&
           times->written_ns + CW_NS_PER_S > since_ns;
}

static bool is_new_by_times(const struct times *times, int64_t since_ns, int64_t now_ns)
{
    return is_recent(times, since_ns) && times->birth_ns <= now_ns + CW_SOURCES_COPY_NS;
}

bool cw_sources_file_is_new(const char *path, int64_t since_ns, int64_t now_ns)
{
    struct times times;
    return times_read(path, &times) && is_new_by_times(&times, since_ns, now_ns);
}

int64_t cw_sources_tick_of(int64_t file_time_ns)
{
    return file_time_ns % CW_NS_PER_S == 0 ? 2 * CW_NS_PER_S : CW_SOURCES_LOOK_MARGIN_NS;
}

bool cw_sources_file_is_dated_back(const char *path)
{
    struct times times;
    return times_read(path, &times) &&
           times.written_ns + cw_sources_tick_of(times.written_ns) < times.birth_ns;
}

void cw_sources_generations_looked(struct cw_sources *sources, int64_t now_ns)
{
    /* Before the very first one nothing was followed. */
    int64_t began_ns = sources->looked_ns > 0 ? sources->scan_began_ns : now_ns;
    int64_t until_ns = began_ns - CW_SOURCES_LOOK_MARGIN_NS;
    sources->scan_began_ns = now_ns;
    if (began_ns == 0)
        return; /* this is the first scan of this run */
    until_ns = CW_MIN(until_ns, sources->waits_since_ns - 1);
    if (until_ns > sources->looked_ns || sources->looked_ns > now_ns + CW_SOURCES_COPY_NS)
        sources->looked_ns = until_ns;
}

/* ---- the logs that were rotated, by folder ---- */

size_t cw_sources_folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

static int log_cmp(const void *a, const void *b)
{
    const char *x = ((const struct cw_rotated_log *)a)->path;
    const char *y = ((const struct cw_rotated_log *)b)->path;
    size_t nx = cw_sources_folder_len(x), ny = cw_sources_folder_len(y);
    int cmp = memcmp(x, y, CW_MIN(nx, ny));
    if (cmp == 0 && nx != ny)
        return nx < ny ? -1 : 1;
    return cmp != 0 ? cmp : strcmp(x + nx, y + ny);
}

void cw_sources_rotated_log(struct cw_sources *sources, const char *log,
                            enum cw_sources_since since)
{
    bool ever = since == CW_SOURCES_SINCE_EVER && !sources->options.from_end;
    if (sources->options.unpack_folder == NULL)
        return;
    if (sources->nrotated_logs == sources->rotated_logs_cap) {
        sources->rotated_logs_cap = sources->rotated_logs_cap ? 2 * sources->rotated_logs_cap : 16;
        sources->rotated_logs = cw_mem_resize(
            sources->rotated_logs, sources->rotated_logs_cap * sizeof *sources->rotated_logs);
    }
    sources->rotated_logs[sources->nrotated_logs++] =
        (struct cw_rotated_log){cw_str_dupz(cw_str_of(log)), ever, since == CW_SOURCES_UNMET};
}

/* ---- the compressed files of a folder ---- */

struct packed {
    char *path;
    uint64_t ino;
    struct times times;
};

struct listing {
    struct packed *items;
    size_t n, cap;
};

static void listing_fini(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        free(listing->items[i].path);
    free(listing->items);
    *listing = (struct listing){0};
}

static int by_path(const void *a, const void *b)
{
    const struct packed *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static int by_written(const void *a, const void *b)
{
    const struct packed *x = a, *y = b;
    if (x->times.written_ns != y->times.written_ns)
        return x->times.written_ns < y->times.written_ns ? -1 : 1;
    return (x->times.birth_ns > y->times.birth_ns) - (x->times.birth_ns < y->times.birth_ns);
}

static void listing_read(const char *folder, struct listing *out)
{
    char path[PATH_MAX];
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (cw_unpack_stem(cw_str_of(entry->d_name)).len == 0 ||
            (size_t)snprintf(path, sizeof path, "%s%s", folder, entry->d_name) >= sizeof path)
            continue;
        if (out->n == out->cap) {
            out->cap = out->cap ? 2 * out->cap : 16;
            out->items = cw_mem_resize(out->items, out->cap * sizeof *out->items);
        }
        out->items[out->n++] =
            (struct packed){.path = cw_str_dupz(cw_str_of(path)), .ino = entry->d_ino};
    }
    if (dir != NULL)
        closedir(dir);
    if (out->n > 0)
        qsort(out->items, out->n, sizeof *out->items, by_path);
}

static bool listing_eq(const struct listing *a, const struct listing *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++)
        equal = a->items[i].ino == b->items[i].ino && by_path(&a->items[i], &b->items[i]) == 0;
    return equal;
}

/* A name that is changed while a folder is read may not be met, under neither name. So it is read until it says the same twice;
 * false: it does not. */
static bool listing_settle(const char *folder, struct listing *out)
{
    struct listing again = {0};
    *out = (struct listing){0};
    listing_read(folder, out);
    for (unsigned i = 0; i < LISTINGS_MAX; i++) {
        listing_read(folder, &again);
        bool equal = listing_eq(out, &again);
        listing_fini(out);
        *out = again;
        again = (struct listing){0};
        if (equal)
            return true;
    }
    return false;
}

/* ---- whose text it is ---- */

struct look {
    struct cw_sources *sources;
    int64_t now_ns, now_mono_ns;
    struct cw_rotated_log *logs; /* of this folder, sorted */
    size_t nlogs;
    bool waits;       /* something in this folder does */
    bool raced;       /* something was renamed meanwhile: look again at once */
    int64_t since_ns; /* when the oldest was born that waits */
};

struct question {
    struct look *look;
    const struct packed *packed;
    struct cw_tail tail;
    struct cw_err damage; /* of the tail; code 0: none so far */
    const struct cw_rotated_log
        *log;             /* of which it may be new, one with sources if there is; NULL: none */
    bool log_met;         /* that has sources */
    bool any_vanished;    /* it may be the text of one */
    bool young;           /* its file changed a short while ago */
    bool truncated;       /* a source was: first it is found out which its copy is */
    bool copy;            /* it is the text of a file that is there, or is not known to be gone */
    bool exact;           /* every byte of `of` was compared */
    struct cw_source *of; /* vanished, and this is its text */
};

static bool is_packed_source(const struct cw_source *source)
{
    return source->joined || source->unpacked || source->tail.unpack != NULL ||
           (source->tail.fd < 0 && cw_unpack_stem(cw_str_of(source->path_now)).len > 0);
}

/* Tell each log of which the file may be a generation by its name. */
static void logs_of(const char *path, bool (*visit)(void *arg, const char *log), void *arg)
{
    char stem[PATH_MAX];
    size_t folder = cw_sources_folder_len(path);
    struct cw_str name = cw_unpack_stem(cw_str_of(path + folder));
    snprintf(stem, sizeof stem, "%.*s%.*s", (int)folder, path, CW_STR_ARG(name));
    if (!visit(arg, stem))
        (void)cw_rotated_logs(stem, visit, arg);
}

static bool on_log_asked(void *arg, const char *log)
{
    struct question *question = arg;
    struct look *look = question->look;
    const struct cw_source *source;
    bool has_sources = false;
    for (size_t at = SIZE_MAX; (source = cw_sources_path_next(look->sources, log, &at)) != NULL;) {
        question->any_vanished |= source->vanished;
        has_sources |= strcmp(source->path, log) == 0;
    }
    const struct cw_rotated_log key = {.path = (char *)log};
    const struct cw_rotated_log *asked =
        bsearch(&key, look->logs, look->nlogs, sizeof *look->logs, log_cmp);
    if (asked == NULL || question->log_met ||
        (!has_sources && (question->log != NULL || !asked->unmet)))
        return false;
    question->log = asked;
    question->log_met = has_sources;
    return false;
}

/* Whether the file begins with all of the text that is unpacked so far, and that is not empty. */
static bool begins_with(int fd, const struct cw_tail *tail)
{
    enum { STEP = 32 << 10 };
    char of_file[STEP], of_text[STEP];
    for (uint64_t off = 0; off < tail->size;) {
        size_t n = (size_t)CW_MIN(tail->size - off, (uint64_t)STEP);
        if (pread(tail->fd, of_text, n, (off_t)off) != (ssize_t)n ||
            pread(fd, of_file, n, (off_t)off) != (ssize_t)n || memcmp(of_file, of_text, n) != 0)
            return false;
        off += n;
    }
    return tail->size > 0;
}

/* Whether it may be made of the source's file, of which no more is known than after a start. A copy may have the time of its
 * original, and so be older than its birth: the birth of this file tells, where there is one. */
static bool may_be_made_of_restored(const struct times *times, const struct cw_source *source)
{
    int64_t birth_ns = source->tail.identity.birth_ns;
    return times->birth_ns != 0 ? times->birth_ns >= birth_ns
                                : times->written_ns + CW_NS_PER_S >= birth_ns;
}

/* Whether it may be made of the source's file by its times: it is no older. */
static bool may_be_made_of(const struct question *question, const struct cw_source *source)
{
    const struct times *times = &question->packed->times;
    int64_t birth_ns = source->tail.identity.birth_ns;
    if (source->tail.fd < 0 && source->tail.written_ns == 0)
        return may_be_made_of_restored(times, source);
    bool born = times->birth_ns == 0 || times->birth_ns >= birth_ns;
    int64_t at_ns = source->tail.fd < 0 ? source->tail.written_ns : birth_ns;
    bool whole_seconds = times->written_ns % CW_NS_PER_S == 0;
    return born && times->written_ns + (whole_seconds ? CW_NS_PER_S : 0) >= at_ns;
}

static void compare_vanished(struct question *question, struct cw_source *source)
{
    bool open = source->tail.fd >= 0, better = question->of == NULL;
    bool is_of =
        open ? begins_with(source->tail.fd, &question->tail)
             : may_be_made_of(question, source) && cw_sources_text_is_of(&question->tail, source);
    /* What was compressed is not compressed again: it was removed. One that is open may be written anew. */
    bool removed = source->unpacked || (!open && is_packed_source(source));
    if (removed || !is_of)
        return;
    if (!better)
        better = open != question->exact
                     ? open
                     : source->tail.identity.birth_ns < question->of->tail.identity.birth_ns;
    if (better) {
        question->of = source;
        question->exact = open;
    }
}

static void compare_there(struct question *question, struct cw_source *source)
{
    bool open = source->tail.fd >= 0;
    if (!may_be_made_of(question, source))
        return;
    if (open && cw_sources_replaced(question->look->sources, source)) {
        question->truncated = true;
        return;
    }
    int fd = source->tail.fd;
    if (!open && cw_file_identity_is_at(source->path_now, &source->tail.identity))
        fd = openat(AT_FDCWD, source->path_now, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    question->copy |=
        fd < 0 ? cw_sources_text_is_of(&question->tail, source) : begins_with(fd, &question->tail);
    if (!open && fd >= 0)
        close(fd);
}

static bool on_log_compared(void *arg, const char *log)
{
    struct question *question = arg;
    struct cw_source *source;
    for (size_t at = SIZE_MAX;
         (source = cw_sources_path_next(question->look->sources, log, &at)) != NULL;) {
        if (source->vanished)
            compare_vanished(question, source);
        else if (!is_packed_source(source))
            compare_there(question, source);
    }
    return false;
}

/* Whether it is the source's compressed file copied with its time (cp -p, rsync), by what is known of that. */
static bool is_copy_of_packed(const struct question *question, const struct cw_source *source)
{
    const struct cw_file_identity *text = &question->tail.identity, *known = &source->tail.identity;
    const struct times *copy = &question->packed->times;
    struct times times;
    return is_packed_source(source) && text->prefix_len == known->prefix_len &&
           text->prefix_hash == known->prefix_hash && times_read(source->path_now, &times) &&
           times.size == copy->size && times.written_ns == copy->written_ns &&
           times.birth_ns < copy->birth_ns;
}

static bool is_text_of_open(const struct question *question, const struct cw_source *source)
{
    return source->tail.fd >= 0 && !is_packed_source(source) && may_be_made_of(question, source) &&
           begins_with(source->tail.fd, &question->tail);
}

/* Whether it has the text of another log's file beside it: a file with several names (links) is one source, under one of them, and
 * any may be rotated and compressed; and a compressed file may be copied. So little text that logs often begin alike with it
 * ("starting") tells nothing: it is rather read twice than not at all. */
static bool is_of_another(const struct question *question)
{
    const struct cw_sources *sources = question->look->sources;
    const char *path = question->packed->path;
    size_t folder = cw_sources_folder_len(path);
    for (size_t i = 0; i < sources->n && question->tail.size >= LINK_BYTES_MIN; i++) {
        const struct cw_source *source = sources->items[i];
        bool beside = cw_sources_folder_len(source->path_now) == folder &&
                      memcmp(source->path_now, path, folder) == 0;
        if (beside && strcmp(source->path, question->log->path) != 0 &&
            (is_text_of_open(question, source) || is_copy_of_packed(question, source)))
            return true;
    }
    return false;
}

struct mistake {
    struct cw_sources *sources;
    const struct cw_source *packed;
    struct times times;
    bool possible;
};

/* Whether the text of a compressed file that was read may begin as the other one's file, by what is known of both. One that has more
 * bytes than the whole text does not. */
static bool may_begin_alike(const struct cw_source *packed, const struct cw_source *other)
{
    const struct cw_file_identity *text = &packed->tail.identity, *file = &other->tail.identity;
    if (file->prefix_len > text->prefix_len)
        return cw_source_position(packed) > text->prefix_len;
    return file->prefix_len < text->prefix_len || file->prefix_hash == text->prefix_hash;
}

static bool on_log_mistaken(void *arg, const char *log)
{
    struct mistake *mistake = arg;
    const struct cw_source *source;
    for (size_t at = SIZE_MAX;
         !mistake->possible && (source = cw_sources_path_next(mistake->sources, log, &at)) != NULL;)
        mistake->possible = !is_packed_source(source) &&
                            may_be_made_of_restored(&mistake->times, source) &&
                            may_begin_alike(mistake->packed, source);
    return mistake->possible;
}

/* Whether it is all that is known of its log, but for an empty file in the log's place, which may be removed without a trace. Without
 * one, what comes next may be rotated before anybody knows that it is a log's. */
static bool is_last_of_log(struct cw_sources *sources, const struct cw_source *source)
{
    const struct cw_source *other;
    for (size_t at = SIZE_MAX; (other = cw_sources_path_next(sources, source->path, &at)) != NULL;)
        if (other != source && !other->gone && !other->vanished &&
            strcmp(other->path, source->path) == 0 &&
            (cw_source_rotated(other) || other->tail.identity.prefix_len > 0))
            return false;
    return true;
}

bool cw_sources_generation_needed(struct cw_sources *sources, const struct cw_source *source)
{
    struct mistake mistake = {.sources = sources, .packed = source};
    bool ever = false; /* while such a log waits, its files of any age might be taken */
    for (size_t i = 0; i < sources->nrotated_logs && !ever; i++)
        ever = sources->rotated_logs[i].ever;
    if (!times_read(source->path_now, &mistake.times))
        return false;
    if (ever || is_recent(&mistake.times, sources->looked_ns) || is_last_of_log(sources, source))
        return true;
    logs_of(source->path_now, on_log_mistaken, &mistake);
    return mistake.possible;
}

/* ---- what follows from it ---- */

/* Whether it is made of a file that is still there, by its name: that of a log tells nothing, another has it already. */
static bool original_is_there(struct cw_sources *sources, const char *path)
{
    char stem[PATH_MAX];
    struct stat st;
    const struct cw_source *source;
    snprintf(stem, sizeof stem, "%.*s", (int)cw_unpack_stem(cw_str_of(path)).len, path);
    for (size_t at = SIZE_MAX; (source = cw_sources_path_next(sources, stem, &at)) != NULL;)
        if (strcmp(source->path, stem) == 0)
            return false;
    return stat(stem, &st) == 0 && S_ISREG(st.st_mode);
}

/* Whether that file is a source: then its compressed one is no new one's, and is found when it is removed. */
static bool original_is_met(struct cw_sources *sources, const char *path)
{
    char stem[PATH_MAX];
    const struct cw_source *source;
    bool met = false;
    snprintf(stem, sizeof stem, "%.*s", (int)cw_unpack_stem(cw_str_of(path)).len, path);
    for (size_t at = SIZE_MAX; !met && (source = cw_sources_path_next(sources, stem, &at)) != NULL;)
        met = strcmp(source->path_now, stem) == 0 &&
              cw_file_identity_is_at(stem, &source->tail.identity);
    return met;
}

/* Whether it may stay open: one that is large has its turn when no other is unpacked. */
static bool may_stay_open(const struct question *question)
{
    struct cw_sources *sources = question->look->sources;
    const struct cw_tail *tail = &question->tail;
    bool turn = !cw_tail_unpacking(tail) || sources->unpacking == NULL;
    sources->next_due |= !turn;
    if (!turn || !cw_sources_room(sources))
        return false;
    if (cw_unpack_state(tail->unpack) == CW_UNPACK_DAMAGED)
        cw_sources_damage_tell(sources, tail, question->packed->path, &question->damage);
    return true;
}

static void waits_since(struct look *look, int64_t birth_ns)
{
    look->waits = true;
    look->since_ns = CW_MIN(look->since_ns, CW_MAX(birth_ns, 1));
}

static void join(struct question *question)
{
    struct cw_sources *sources = question->look->sources;
    struct cw_source *source = question->of;
    struct cw_file_identity *identity = &source->tail.identity;
    struct cw_tail *tail = &question->tail;
    /* Compressing keeps the time of the last line: nothing came since it was read to its end. */
    bool is_read =
        source->tail.fd < 0 && source->tail.size > 0 &&
        cw_source_position(source) >= source->tail.size &&
        question->packed->times.written_ns / CW_NS_PER_S == source->tail.written_ns / CW_NS_PER_S;
    identity->dev = tail->identity.dev;
    identity->ino = tail->identity.ino;
    identity->birth_ns = tail->identity.birth_ns;
    source->vanished = false;
    source->scan_number = sources->scan_number;
    cw_sources_index_reidentified(sources, source);
    cw_sources_moved(sources, source, question->packed->path);
    sources->dirty = true;
    source->joined = source->tail.fd >= 0;
    source->unpacked = is_read;
    if (source->joined || is_read)
        return;
    if (!may_stay_open(question)) {
        sources->deferred = true;
        return;
    }
    cw_sources_reopen(sources, NULL, source, tail, question->packed->path, question->look->now_ns,
                      question->look->now_mono_ns);
    *tail = (struct cw_tail){.fd = -1};
}

/* A target that comes is a reason to scan. */
static void generation_new(struct question *question)
{
    struct cw_sources *sources = question->look->sources;
    const char *path = question->packed->path;
    const struct cw_target *target = cw_sources_target_of(sources, question->log->path);
    const struct cw_target *own = cw_sources_target_of(sources, path);
    if (target == NULL &&
        question->look->now_mono_ns - sources->began_mono_ns < CW_SOURCES_TARGET_WAIT_NS)
        waits_since(question->look, question->packed->times.birth_ns);
    if (target == NULL || (own != NULL && own->unpack) ||
        (!question->log_met && cw_sources_is_excluded(target, path)) ||
        !cw_sources_may_have(sources, target, path) ||
        (sources->options.only_public && !cw_sources_is_public(path)))
        return;
    cw_log_info("%s was written, rotated and compressed before it was met: it is read as of %s",
                path, question->log->path);
    if (may_stay_open(question)) {
        cw_sources_begin(sources, target, &question->tail, path, question->log->path,
                         question->look->now_ns, question->look->now_mono_ns);
        question->tail = (struct cw_tail){.fd = -1};
        return;
    }
    struct cw_source *source = cw_source_new(sources->noutputs, question->log->path);
    cw_source_path_now_set(source, path);
    cw_source_draw_id(source);
    source->tail.identity = question->tail.identity; /* it is opened when its turn comes */
    source->scan_number = sources->scan_number;
    cw_sources_add(sources, source);
    sources->unsaved = sources->deferred = true;
}

static bool may_be_new(const struct question *question)
{
    const struct look *look = question->look;
    return question->log != NULL &&
           (question->log->ever ||
            is_new_by_times(&question->packed->times, look->sources->looked_ns, look->now_ns));
}

static void waits(struct question *question, bool there)
{
    struct look *look = question->look;
    waits_since(look, question->packed->times.birth_ns);
    /* With `once` what is there is read, whatever is made of it. */
    look->sources->deferred |= !(there && look->sources->options.once);
}

static void answer(struct question *question)
{
    struct cw_sources *sources = question->look->sources;
    const struct packed *packed = question->packed;
    const struct cw_tail *tail = &question->tail;
    bool begun = question->young && cw_tail_unpacking(tail) && tail->size < CW_FILE_PREFIX_BYTES;
    /* Whatever was compared is this file, and complete, only if none was made anew meanwhile. */
    bool in_place = cw_file_identity_same_inode(&packed->times.file, &tail->identity) &&
                    cw_file_identity_is_at(packed->path, &tail->identity) &&
                    !original_is_there(sources, packed->path);
    if (!begun)
        logs_of(packed->path, on_log_compared, question);
    question->look->raced |= !in_place;
    if (begun || !in_place || question->truncated)
        waits(question, false);
    else if (question->copy && question->young && !question->exact)
        waits(question, true);
    else if (question->of != NULL)
        join(question);
    else if (may_be_new(question) && (question->copy || is_of_another(question)))
        cw_log_warn("%s begins as a file that is there: it is taken for a copy of that",
                    packed->path);
    else if (may_be_new(question) && tail->size > 0)
        generation_new(question);
}

static struct cw_source *source_with(const struct cw_sources *sources,
                                     const struct cw_file_identity *file)
{
    struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_index_next(sources, file->ino, &at)) != NULL;)
        if (cw_file_identity_same_inode(&source->tail.identity, file))
            return source;
    return NULL;
}

static void packed_ask(struct look *look, const struct packed *packed)
{
    struct cw_sources *sources = look->sources;
    struct question question = {.look = look, .packed = packed, .tail = {.fd = -1}};
    struct cw_err *err = &question.damage;
    struct cw_source *had = source_with(sources, &packed->times.file);
    if (had != NULL) {
        had->vanished = false; /* it was renamed while it was looked for */
        return;
    }
    logs_of(packed->path, on_log_asked, &question);
    if (!question.any_vanished && !may_be_new(&question))
        return;
    question.young = look->now_ns - packed->times.changed_ns < CW_SOURCES_COPY_NS;
    if (original_is_there(sources, packed->path)) {
        /* Asked in this order: a name that is given on is free before another has it. */
        bool met = original_is_met(sources, packed->path);
        look->raced |= !cw_file_identity_is_at(packed->path, &packed->times.file);
        if (look->raced || (question.young && !met))
            waits(&question, true);
        return;
    }
    int rc = cw_tail_open_packed(&question.tail, packed->path, CW_CODEC_NONE,
                                 sources->options.unpack_folder, err);
    if (rc == 0)
        answer(&question);
    else if (question.young && (rc == CW_E_NOT_FOUND || rc == CW_E_INVALID))
        waits(&question, false); /* renamed, or without its first bytes */
    else if (rc != CW_E_NOT_FOUND && rc != CW_E_INVALID)
        cw_log_warn("%s", err->text);
    look->raced |= rc == CW_E_NOT_FOUND;
    cw_tail_close(&question.tail);
}

/* Of a folder that is not done with no source is known to have no file. */
static void vanished_keep(struct look *look)
{
    struct cw_source *source;
    for (size_t i = 0; i < look->nlogs; i++)
        for (size_t at = SIZE_MAX;
             (source = cw_sources_path_next(look->sources, look->logs[i].path, &at)) != NULL;)
            source->vanished = false;
}

static void folder_pass(struct look *look, const char *folder)
{
    struct listing listing;
    look->since_ns = INT64_MAX;
    look->waits = look->raced = !listing_settle(folder, &listing);
    size_t kept = 0;
    for (size_t i = 0; i < listing.n; i++) {
        struct packed *packed = &listing.items[i];
        if (times_read(packed->path, &packed->times)) {
            listing.items[kept++] = *packed;
            continue;
        }
        look->waits = look->raced = true; /* renamed since */
        free(packed->path);
    }
    listing.n = kept;
    if (listing.n > 0)
        qsort(listing.items, listing.n, sizeof *listing.items, by_written);
    for (size_t i = 0; i < listing.n; i++)
        packed_ask(look, &listing.items[i]);
    listing_fini(&listing);
}

static void folder_look(struct look *look)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)cw_sources_folder_len(look->logs[0].path),
             look->logs[0].path);
    unsigned passes = 0;
    do
        folder_pass(look, folder);
    while (look->raced && ++passes < LISTINGS_MAX);
    look->sources->deferred |= look->raced;
    if (look->raced)
        look->since_ns = 1; /* whatever was not met */
    look->sources->waits_since_ns = CW_MIN(look->sources->waits_since_ns, look->since_ns);
    if (look->waits)
        vanished_keep(look);
}

/* Sorted, each once. */
static void rotated_logs_sort(struct cw_sources *sources)
{
    struct cw_rotated_log *logs = sources->rotated_logs;
    size_t n = 0;
    if (sources->nrotated_logs > 0)
        qsort(logs, sources->nrotated_logs, sizeof *logs, log_cmp);
    for (size_t i = 0; i < sources->nrotated_logs; i++) {
        if (n == 0 || strcmp(logs[n - 1].path, logs[i].path) != 0) {
            logs[n++] = logs[i];
            continue;
        }
        logs[n - 1].ever |= logs[i].ever;
        logs[n - 1].unmet |= logs[i].unmet;
        free(logs[i].path);
    }
    sources->nrotated_logs = n;
}

void cw_sources_generations_look(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    rotated_logs_sort(sources);
    struct cw_rotated_log *logs =
        sources->rotated_logs; /* nothing that is called here adds to it */
    size_t n = sources->nrotated_logs, kept = 0;
    sources->next_due = false;
    sources->waits_since_ns = INT64_MAX;
    for (size_t i = 0, end; i < n; i = end) {
        size_t len = cw_sources_folder_len(logs[i].path);
        for (end = i + 1; end < n && cw_sources_folder_len(logs[end].path) == len &&
                          memcmp(logs[i].path, logs[end].path, len) == 0;)
            end++;
        struct look look = {.sources = sources,
                            .now_ns = now_ns,
                            .now_mono_ns = now_mono_ns,
                            .logs = logs + i,
                            .nlogs = end - i};
        folder_look(&look);
        for (size_t k = i; k < end; k++) {
            if (look.waits)
                logs[kept++] = logs[k];
            else
                free(logs[k].path);
        }
    }
    sources->nrotated_logs = kept;
}
