/* fsck_parts.c - the catalog and the parts that it names. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/part_mend.h"
#include "common/store/part_salvage.h"
#include "common/store/part_verify.h"
#include "common/store/wal_replay.h"
#include "querier/cli/fsck.h"

/* ---- one part ---- */

struct part_check {
    struct cw_fsck *fsck;
    const char *path;
    uint32_t *bad_blocks; /* ascending, each once */
    size_t nbad, cap;
    const struct cw_catalog_part *entry; /* NULL: no catalog names it */
    bool mends;                          /* it does not open, and its blocks can be read */
    uint64_t mend_rows, mend_expected;   /* entries */
};

static void cost_format(struct part_check *check, const struct cw_part_damage *damage,
                        struct cw_buf *out)
{
    struct cw_fsck *fsck = check->fsck;
    const struct cw_part_cost *cost = &damage->cost;
    if (check->mends) {
        cw_buf_addf(out,
                    "; it does not open, and --repair brings back %" PRIu64 " of its %" PRIu64
                    " entries",
                    check->mend_rows, check->mend_expected);
        return;
    }
    if (!cost->known) {
        fsck->lost_unknown++;
        cw_buf_addz(out, "; it costs the whole part");
        return;
    }
    fsck->lost_entries += cost->entries;
    if (cost->entries == 0)
        return;
    cw_buf_addf(out, "; it costs %" PRIu64 " entries of %s%" PRIu32 " stream%s, ", cost->entries,
                cost->streams > 1 && damage->block >= 0 ? "up to " : "", cost->streams,
                cost->streams == 1 ? "" : "s");
    cw_time_format_rfc3339(cost->min_ns, out);
    cw_buf_addz(out, " to ");
    cw_time_format_rfc3339(cost->max_ns, out);
}

static void on_damage(void *arg, const struct cw_part_damage *damage)
{
    struct part_check *check = arg;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    if (damage->block >= 0) {
        uint32_t block = (uint32_t)damage->block;
        cw_buf_addf(&text, "block %" PRIu32 ", ", block);
        if (check->nbad == 0 || check->bad_blocks[check->nbad - 1] != block) {
            if (check->nbad == check->cap) {
                check->cap = check->cap ? 2 * check->cap : 8;
                check->bad_blocks =
                    cw_mem_resize(check->bad_blocks, check->cap * sizeof(*check->bad_blocks));
            }
            check->bad_blocks[check->nbad++] = block;
        }
    }
    cw_buf_addf(&text, "%s, bytes %" PRIu64 " to %" PRIu64 ": %s", damage->section, damage->off,
                damage->off + damage->bytes, damage->why);
    cost_format(check, damage, &text);
    cw_fsck_problem(check->fsck, check->path, "%s", cw_buf_z(&text));
    cw_buf_fini(&text);
}

/* What the catalog says of where a part comes from. */
static struct cw_part_info info_of(const struct cw_catalog_part *entry)
{
    return (struct cw_part_info){.id = entry->id,
                                 .tenant = entry->tenant,
                                 .day = entry->day,
                                 .level = entry->level,
                                 .wal_first = entry->wal_first,
                                 .wal_last = entry->wal_last};
}

/* Of a part that does not open: can its blocks be read? */
static void mend_look(struct part_check *check)
{
    struct cw_part_mended *mended;
    struct cw_part_reader *reader = NULL;
    struct cw_err why;
    if (check->entry == NULL || cw_part_reader_open(check->path, &reader, &why) != CW_E_CORRUPT) {
        cw_part_reader_close(&reader);
        return;
    }
    struct cw_part_info known = info_of(check->entry);
    if (cw_part_mend(check->path, &known, &mended, &reader, &check->mend_expected, &why) < 0)
        return;
    check->mends = true;
    check->mend_rows = CW_MIN(cw_part_reader_footer(reader)->rows, check->mend_expected);
    check->fsck->lost_entries += check->mend_expected - check->mend_rows;
    cw_part_reader_close(&reader);
    cw_part_mended_free(&mended);
}

static int part_verify(struct part_check *check, struct cw_part_verified *out, struct cw_err *err)
{
    mend_look(check);
    int rc = cw_part_verify(check->path, on_damage, check, out, err);
    if (rc == CW_E_CORRUPT) { /* no file at all: nothing of it can be read */
        cw_fsck_problem(check->fsck, check->path, "%s", err->text);
        *out = (struct cw_part_verified){.ndamages = 1};
        check->fsck->lost_unknown++;
        rc = 0;
    }
    if (rc < 0)
        return rc;
    check->fsck->nparts++;
    check->fsck->nblocks += out->nblocks;
    check->fsck->nentries += out->entries;
    if (out->newer && check->fsck->quarantine != NULL)
        return cw_err_set(err, CW_E_NOT_IMPLEMENTED,
                          "%s is of a newer version: only its own programs can repair it",
                          check->path);
    return 0;
}

static int set_aside(struct cw_fsck *fsck, const char *path, struct cw_err *err)
{
    int rc = cw_quarantine_part(fsck->quarantine, path, err);
    if (rc == 0)
        cw_fsck_note(fsck, path, "repaired: moved to quarantine/");
    return rc;
}

static int blocks_set_aside(const struct part_check *check, struct cw_err *err)
{
    struct cw_part_reader *reader;
    int rc = cw_part_reader_open(check->path, &reader, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < check->nbad; i++)
        cw_quarantine_block(check->fsck->quarantine, reader, check->bad_blocks[i]);
    cw_part_reader_close(&reader);
    return 0;
}

static void mended_tell(const struct part_check *check, uint64_t rows, uint64_t expected,
                        const char *aside)
{
    if (expected <= rows)
        cw_fsck_note(check->fsck, check->path,
                     "repaired: written anew with all of its %" PRIu64 " entries", rows);
    else
        cw_fsck_note(check->fsck, check->path,
                     "repaired: written anew with %" PRIu64 " of its %" PRIu64
                     " entries; it is kept as %s",
                     rows, expected, aside);
}

/* A part that does not open, with every block of it that is whole. Where that is not all, it is in quarantine/ too. */
static int part_mend(const struct part_check *check, struct cw_err *err)
{
    struct cw_part_info known = info_of(check->entry);
    struct cw_part_mended *mended;
    struct cw_part_reader *reader;
    uint64_t expected, rows;
    struct cw_buf aside;
    int rc = cw_part_mend(check->path, &known, &mended, &reader, &expected, err);
    if (rc < 0)
        return rc;
    cw_buf_init(&aside, SIZE_MAX);
    rc = cw_quarantine_link_part(check->fsck->quarantine, check->path, &aside, err);
    if (rc == 0) {
        rc = cw_part_salvage_reader(reader, check->path, &rows, err);
        struct cw_err why;
        if ((rc < 0 || rows >= expected) && cw_file_unlink(aside.ptr, &why) < 0)
            cw_fsck_note(check->fsck, aside.ptr, "%s: it is not needed", why.text);
    } else {
        cw_part_reader_close(&reader);
    }
    if (rc == 0) {
        /* A block of them may turn out to be damaged. */
        check->fsck->lost_entries += check->mend_rows - CW_MIN(check->mend_rows, rows);
        mended_tell(check, rows, expected, aside.ptr);
    }
    cw_part_mended_free(&mended);
    cw_buf_fini(&aside);
    return rc;
}

/* 1: the part has left its place. */
static int part_repair(const struct part_check *check, const struct cw_part_verified *verified,
                       struct cw_err *err)
{
    int rc = CW_E_CORRUPT;
    if (verified->opens) {
        rc = blocks_set_aside(check, err);
        if (rc == 0)
            rc = cw_part_salvage(check->path, err);
    } else if (check->mends) {
        rc = part_mend(check, err);
        if (rc == 0)
            return 0;
    }
    if (rc == CW_E_CORRUPT) {
        check->fsck->lost_entries += check->mend_rows;
        rc = set_aside(check->fsck, check->path, err);
        return rc < 0 ? rc : 1;
    }
    if (rc == 0)
        cw_fsck_note(check->fsck, check->path,
                     "repaired: written anew; bad blocks are in quarantine/");
    return rc;
}

/* ---- the catalog ---- */

/* A part that no catalog can be made from. */
static int on_unreadable(void *arg, const char *path, const struct cw_err *why, struct cw_err *err)
{
    struct cw_fsck *fsck = arg;
    struct part_check check = {.fsck = fsck, .path = path};
    struct cw_part_verified verified;
    if (why->code != CW_E_CORRUPT)
        return cw_err_set(err, why->code, "%s", why->text);
    int rc = part_verify(&check, &verified, err);
    free(check.bad_blocks);
    return rc < 0 || fsck->quarantine == NULL ? rc : set_aside(fsck, path, err);
}

int cw_fsck_catalog(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_err why = {0};
    struct cw_buf wal;
    int rc = cw_catalog_read(fsck->dir, &fsck->catalog, &why);
    if (rc == 0)
        return 0;
    if (rc != CW_E_NOT_FOUND && rc != CW_E_CORRUPT)
        return cw_err_set(err, rc, "%s", why.text);
    cw_fsck_problem(fsck, "catalog", "%s; parts say what was in it",
                    rc == CW_E_CORRUPT ? why.text : "it is missing");
    if (fsck->quarantine != NULL && rc == CW_E_CORRUPT) {
        rc = cw_quarantine_file(fsck->quarantine, "catalog", err);
        if (rc < 0)
            return rc;
    }
    fsck->catalog_lost = fsck->catalog_changed = true;
    cw_buf_init(&wal, SIZE_MAX);
    cw_buf_addf(&wal, "%s/wal", fsck->dir);
    rc = cw_catalog_rebuild(fsck->dir, cw_wal_oldest_seq(cw_buf_z(&wal)), on_unreadable, fsck,
                            &fsck->catalog, err);
    cw_buf_fini(&wal);
    return rc;
}

int cw_fsck_catalog_write(struct cw_fsck *fsck, struct cw_err *err)
{
    if (fsck->quarantine == NULL || !fsck->catalog_changed)
        return 0;
    int rc = cw_catalog_write(fsck->dir, &fsck->catalog, err);
    if (rc == 0)
        cw_fsck_note(fsck, "catalog", "repaired: written anew, %zu parts", fsck->catalog.n);
    return rc;
}

/* ---- what it names ---- */

static void replace_entry(struct cw_fsck *fsck, uint64_t id, const struct cw_part_footer *f)
{
    struct cw_catalog_part part = cw_catalog_part_of(f);
    CW_ASSERT(cw_catalog_remove(&fsck->catalog, id));
    cw_catalog_add(&fsck->catalog, &part);
    fsck->catalog_changed = true;
}

static void miss_entry(struct cw_fsck *fsck, uint64_t id)
{
    cw_catalog_miss(&fsck->catalog, id);
    fsck->catalog_changed = true;
}

/* The entry says what the part's footer says. `told`: that it may not was told already. */
static int entry_check(struct cw_fsck *fsck, const struct cw_catalog_part *entry, const char *path,
                       bool told, struct cw_err *err)
{
    struct cw_part_reader *reader;
    int rc = cw_part_reader_open(path, &reader, err);
    if (rc < 0)
        return rc;
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    bool other = f->info.id != entry->id || !cw_str_eq(f->info.tenant, entry->tenant);
    if (other) {
        cw_fsck_problem(fsck, path, "its footer names part %" PRIu64 " of tenant %.*s", f->info.id,
                        CW_STR_ARG(f->info.tenant));
    } else if (!cw_catalog_part_is(entry, f)) {
        if (!told)
            cw_fsck_problem(fsck, "catalog",
                            "its line of part %" PRIu64 " is not what the part says", entry->id);
        replace_entry(fsck, entry->id, f);
    }
    if (other && fsck->quarantine != NULL) {
        rc = set_aside(fsck, path, err);
        miss_entry(fsck, entry->id);
    }
    cw_part_reader_close(&reader);
    return rc;
}

static void part_missing(struct cw_fsck *fsck, const struct cw_catalog_part *entry,
                         const char *path)
{
    struct cw_buf range;
    /* A server that works here may have merged it since the catalog was read. */
    if (!fsck->catalog_lost && !cw_catalog_still_names(fsck->dir, entry->id))
        return;
    cw_buf_init(&range, SIZE_MAX);
    cw_time_format_rfc3339(entry->min_ns, &range);
    cw_buf_addz(&range, " to ");
    cw_time_format_rfc3339(entry->max_ns, &range);
    cw_fsck_problem(fsck, path, "it is missing; it costs a part of %" PRIu64 " bytes, %s",
                    entry->bytes, cw_buf_z(&range));
    cw_buf_fini(&range);
    fsck->lost_unknown++;
    if (fsck->quarantine != NULL)
        miss_entry(fsck, entry->id);
}

static int part_check(struct cw_fsck *fsck, const struct cw_catalog_part *entry, const char *path,
                      struct cw_err *err)
{
    struct part_check check = {.fsck = fsck, .path = path, .entry = entry};
    struct cw_part_verified verified;
    int rc = part_verify(&check, &verified, err);
    if (rc == CW_E_NOT_FOUND) {
        part_missing(fsck, entry, path);
        return 0;
    }
    bool damaged = rc == 0 && verified.ndamages > 0;
    if (damaged && fsck->quarantine != NULL)
        rc = part_repair(&check, &verified, err);
    free(check.bad_blocks);
    if (rc == 1) {
        miss_entry(fsck, entry->id);
        return 0;
    }
    bool opens = verified.opens || (damaged && fsck->quarantine != NULL); /* it was mended */
    return rc == 0 && opens ? entry_check(fsck, entry, path, damaged, err) : rc;
}

static bool has_id(const struct cw_part_info *info, uint64_t id)
{
    for (size_t i = 0; i < info->nreplaced; i++)
        if (info->replaced[i] == id)
            return true;
    return false;
}

/* Does a part of the catalog replace it, or is it a merge of parts that the catalog still names? */
static bool is_in_parts(const struct cw_fsck *fsck, const struct cw_part_info *info)
{
    bool found = false;
    for (size_t i = 0; i < info->nreplaced && !found; i++)
        found = cw_catalog_find(&fsck->catalog, info->replaced[i]) != NULL;
    for (size_t i = 0; i < fsck->catalog.n && !found; i++) {
        const struct cw_catalog_part *entry = &fsck->catalog.parts[i];
        struct cw_part_reader *reader;
        struct cw_err ignored = {0};
        struct cw_buf path;
        cw_buf_init(&path, SIZE_MAX);
        cw_catalog_part_path(fsck->dir, entry->tenant, entry->day, entry->id, &path);
        if (cw_part_reader_open(cw_buf_z(&path), &reader, &ignored) == 0) {
            found = has_id(&cw_part_reader_footer(reader)->info, info->id);
            cw_part_reader_close(&reader);
        }
        cw_buf_fini(&path);
    }
    return found;
}

/* Entries that are nowhere else, or 0. What was flushed and not named yet is in the log still. */
static uint64_t only_copy(const struct cw_fsck *fsck, const char *path, uint64_t id)
{
    struct cw_part_reader *reader;
    struct cw_err ignored = {0};
    if (cw_part_reader_open(path, &reader, &ignored) < 0)
        return 0;
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    bool only = f->info.id == id && f->info.wal_last <= fsck->catalog.wal_flushed &&
                !is_in_parts(fsck, &f->info);
    uint64_t entries = only ? f->rows : 0;
    cw_part_reader_close(&reader);
    return entries;
}

/* What a start does with a file in the place of a missing part. */
static void tell_put_back(const struct cw_fsck *fsck, const struct cw_catalog_part *entry,
                          const char *path)
{
    struct cw_part_reader *reader = NULL;
    struct cw_err why = {0};
    bool same = cw_part_reader_open(path, &reader, &why) == 0 &&
                cw_catalog_part_is(entry, cw_part_reader_footer(reader));
    cw_part_reader_close(&reader);
    cw_fsck_note(fsck, path,
                 same ? "it was missing and is there again: a start takes it in"
                      : "it is not the part that is missing here: a start sets it aside");
}

static int on_file(void *arg, const char *path, uint64_t id)
{
    const struct cw_fsck *fsck = arg;
    const struct cw_catalog_part *missing = cw_catalog_find_missing(&fsck->catalog, id);
    if (missing != NULL) {
        tell_put_back(fsck, missing, path);
        return 0;
    }
    if (id != 0 && cw_catalog_find(&fsck->catalog, id) != NULL)
        return 0;
    uint64_t entries = id == 0 ? 0 : only_copy(fsck, path, id);
    if (entries > 0)
        cw_fsck_note(fsck, path,
                     "the catalog does not name it, and no part replaces it: retention or a delete "
                     "dropped it, or it was put here by hand; a start removes it with its %" PRIu64
                     " entries: move it away to keep them",
                     entries);
    else
        cw_fsck_note(fsck, path, "no problem: the catalog does not name it; a start removes it");
    return 0;
}

/* Told as problems when they were found missing. */
static void tell_missing(const struct cw_fsck *fsck)
{
    if (fsck->catalog.nmissing > 0)
        cw_fsck_note(
            fsck, "catalog",
            "%zu %s missing, and remembered: one that is put back where it was is taken in "
            "by the next start",
            fsck->catalog.nmissing, fsck->catalog.nmissing == 1 ? "part is" : "parts are");
}

/* A start set a part aside that does not open: can its blocks be read? Then it goes back, to be repaired there. */
static int put_back(struct cw_fsck *fsck, const struct cw_catalog_part *missing, struct cw_err *err)
{
    struct cw_part_info known = info_of(missing);
    struct cw_part_mended *mended = NULL;
    struct cw_part_reader *reader = NULL;
    struct cw_err why;
    struct cw_buf from, to;
    uint64_t expected;
    int rc = 0;
    cw_buf_init(&from, SIZE_MAX);
    cw_buf_init(&to, SIZE_MAX);
    cw_quarantine_part_path(fsck->quarantine, missing->id, &from);
    cw_catalog_part_path(fsck->dir, missing->tenant, missing->day, missing->id, &to);
    if (!cw_file_exists(cw_buf_z(&to)) && cw_file_exists(from.ptr) &&
        cw_part_mend(from.ptr, &known, &mended, &reader, &expected, &why) == 0) {
        bool same = cw_part_reader_footer(reader)->info.id == missing->id &&
                    cw_str_eq(cw_part_reader_footer(reader)->info.tenant, missing->tenant);
        cw_part_reader_close(&reader);
        cw_part_mended_free(&mended);
        rc = same ? cw_file_rename(from.ptr, to.ptr, err) : 0;
        if (same && rc == 0) {
            cw_fsck_note(fsck, to.ptr, "it is taken back from quarantine/, to be repaired");
            cw_catalog_found(&fsck->catalog, missing->id);
            fsck->catalog_changed = true;
        }
    }
    cw_buf_fini(&from);
    cw_buf_fini(&to);
    return rc;
}

static int all_put_back(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_catalog was;
    int rc = 0;
    cw_catalog_copy(&fsck->catalog, &was);
    for (size_t i = 0; rc == 0 && i < was.nmissing; i++)
        rc = put_back(fsck, &was.missing[i], err);
    cw_catalog_fini(&was);
    return rc;
}

int cw_fsck_parts(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_catalog named;
    int rc = fsck->quarantine != NULL ? all_put_back(fsck, err) : 0;
    cw_catalog_copy(&fsck->catalog, &named);
    for (size_t i = 0; i < named.n && rc == 0; i++) {
        const struct cw_catalog_part *entry = &named.parts[i];
        struct cw_buf path;
        cw_buf_init(&path, SIZE_MAX);
        cw_catalog_part_path(fsck->dir, entry->tenant, entry->day, entry->id, &path);
        rc = part_check(fsck, entry, cw_buf_z(&path), err);
        cw_buf_fini(&path);
    }
    cw_catalog_fini(&named);
    tell_missing(fsck);
    return rc < 0 ? rc : cw_catalog_each_file(fsck->dir, on_file, fsck, err);
}
