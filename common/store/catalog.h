/*
 * catalog.h - which parts a data directory holds, and up to which WAL sequence number replay skips. One small file, replaced by
 * rename: that rename is what commits a flush or a merge. Format: format.h.
 *
 * Missing        a part that is not there when it should be (its file is gone, or was set aside as damaged) leaves the list, but the
 *                catalog remembers it: a start that finds that very part in its place again, put back from a backup or by a
 *                disk that is mounted again, takes it in. What left on purpose (merged, written anew, dropped) is forgotten: its
 *                entries are elsewhere, or are to be gone. A missing part is forgotten when retention would have dropped it,
 *                and when a delete that is of it counts as carried out: it would bring entries back. A catalog that is made again
 *                remembers none.
 *
 * The folder     <data>/FORMAT, <data>/catalog, <data>/catalog.reserve (bytes without meaning: see below), <data>/parts/<tenant, escaped>/<day>/<id, 16 hex digits>.part
 * Lost           the catalog can be made again from the parts' footers: parts that another one replaces are out, and the newest
 *                flush is out if not all of its parts are there and the WAL still has its entries.
 *
 * Ownership      A catalog owns its list and texts.
 * Errors         CW_E_NOT_FOUND, CW_E_IO, CW_E_UNAVAILABLE, CW_E_CORRUPT; CW_E_INVALID: of a version that is newer than ours.
 */
#ifndef CW_STORE_CATALOG_H
#define CW_STORE_CATALOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_catalog_part {
    uint64_t id;
    struct cw_str tenant; /* owned by the catalog */
    int32_t day;          /* or CW_DAY_MIXED */
    uint32_t level;
    int64_t min_ns, max_ns; /* inclusive */
    uint64_t bytes;         /* of the file */
    /* Sequence numbers of the frames that it came from, as its footer has them; both 0: not known (catalogs of version 1). */
    uint64_t wal_first, wal_last;
};
struct cw_part_footer;
/* What a part says of itself; the tenant is the footer's. */
struct cw_catalog_part cw_catalog_part_of(const struct cw_part_footer *footer);
/* Is it that very part? wal_first and wal_last count where they are known. */
bool cw_catalog_part_is(const struct cw_catalog_part *entry, const struct cw_part_footer *footer);

struct cw_catalog {
    uint64_t wal_flushed;          /* replay skips up to here, inclusive; 0: nothing was flushed */
    uint64_t next_id;              /* greater than any id that was ever committed */
    bool keeps_deletes;            /* the file `deletes` is there: one that is not was removed */
    struct cw_catalog_part *parts; /* by id */
    size_t n, cap;
    struct cw_catalog_part *missing; /* by id; none of them is in `parts` */
    size_t nmissing, missing_cap;
};

void cw_catalog_init(struct cw_catalog *catalog);
void cw_catalog_fini(struct cw_catalog *catalog);
/* Copies the tenant. */
void cw_catalog_add(struct cw_catalog *catalog, const struct cw_catalog_part *part);
/* False when it was not there. */
bool cw_catalog_remove(struct cw_catalog *catalog, uint64_t id);
const struct cw_catalog_part *cw_catalog_find(const struct cw_catalog *catalog, uint64_t id);
/* The part, which is there, is missing from now on; _found: no more. */
void cw_catalog_miss(struct cw_catalog *catalog, uint64_t id);
void cw_catalog_found(struct cw_catalog *catalog, uint64_t id);
/* Of the missing ones; NULL, false: it is none. */
const struct cw_catalog_part *cw_catalog_find_missing(const struct cw_catalog *catalog,
                                                      uint64_t id);
bool cw_catalog_forget(struct cw_catalog *catalog, uint64_t id);
void cw_catalog_copy(const struct cw_catalog *from, struct cw_catalog *to);

/* Text form: for _read and _write, and for tests. */
void cw_catalog_format(const struct cw_catalog *catalog, struct cw_buf *out);
int cw_catalog_parse(struct cw_str text, struct cw_catalog *out, struct cw_err *err) CW_MUST_USE;

int cw_catalog_read(const char *data_dir, struct cw_catalog *out, struct cw_err *err) CW_MUST_USE;
/* Is the part in the catalog as it is on the disk now? True too where that cannot be read. For readers beside a server at work: a
 * part that is gone, and not named any more, was merged or dropped. */
bool cw_catalog_still_names(const char *data_dir, uint64_t id);
/* On failure the old one or the new one is on disk. */
int cw_catalog_write(const char *data_dir, const struct cw_catalog *catalog,
                     struct cw_err *err) CW_MUST_USE;
/*
 * A full disk has no room for a new catalog, but dropping parts, which makes room, needs one. So there is a reserve: a file of
 * CW_CATALOG_RESERVE_BYTES that becomes the catalog then.
 * _reserve makes it if it is missing (room_reserve.h: a smaller one where there is no room); _write_reserved uses it up.
 */
#define CW_CATALOG_RESERVE_BYTES (1u << 20)
int cw_catalog_reserve(const char *data_dir, struct cw_err *err) CW_MUST_USE;
int cw_catalog_write_reserved(const char *data_dir, const struct cw_catalog *catalog,
                              struct cw_err *err) CW_MUST_USE;
/* From the footers of the parts that are there. wal_oldest_seq: the lowest sequence number that the WAL still holds (UINT64_MAX:
 * none, 0: unknown, which counts as all). Parts that cannot be read are left out and told to `bad`, whose error ends it. */
typedef int (*cw_catalog_bad_fn)(void *arg, const char *path, const struct cw_err *why,
                                 struct cw_err *err);
int cw_catalog_rebuild(const char *data_dir, uint64_t wal_oldest_seq, cw_catalog_bad_fn bad,
                       void *arg, struct cw_catalog *out, struct cw_err *err) CW_MUST_USE;

/* <data>/FORMAT: CW_E_NOT_FOUND, or CW_E_INVALID when it names a newer version. */
int cw_catalog_check_format(const char *data_dir, struct cw_err *err) CW_MUST_USE;
int cw_catalog_write_format(const char *data_dir, struct cw_err *err) CW_MUST_USE;

/* Append the folder, or the path, of a part. */
void cw_catalog_part_dir(const char *data_dir, struct cw_str tenant, int32_t day,
                         struct cw_buf *out);
void cw_catalog_part_path(const char *data_dir, struct cw_str tenant, int32_t day, uint64_t id,
                          struct cw_buf *out);
/* Letters, digits and !-_.*'() stay (Loki's rules allow no others), but a '.' in front; the rest becomes %XX. */
void cw_catalog_escape_tenant(struct cw_str tenant, struct cw_buf *out);
/* Back again, appended; false when it is none. */
bool cw_catalog_unescape_tenant(struct cw_str text, struct cw_buf *out);

/* Every file below <data>/parts: `id` is 0 where the name is not a part's. Nonzero stops and is returned. */
typedef int (*cw_catalog_file_fn)(void *arg, const char *path, uint64_t id);
int cw_catalog_each_file(const char *data_dir, cw_catalog_file_fn fn, void *arg,
                         struct cw_err *err) CW_MUST_USE;

#endif
