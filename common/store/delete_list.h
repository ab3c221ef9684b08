/*
 * delete_list.h - the file `deletes` of a data directory: which entries are hidden until they are removed. One small text,
 * replaced by rename: that rename is what makes a delete, or its end, durable.
 *
 *     cordwood deletes 2
 *     <xxh3-64 of the rest, 16 hex digits> <id> <state> <wal_seq> <first_ns> <last_ns> <created_ns> <due_ns> <purge_id> <removed>
 *         <unread> <finished_ns> <tenant, escaped> <query as Go quotes it>          (one line)
 *     end <lines>
 *
 * Version 1 had no <unread>; it is 0 then.
 *
 * A delete is of the entries that were stored before it: those of frames up to wal_seq. Every part and every generation of the
 * head lies on one side of it (store.h), so that footers tell: it is of the parts with wal_last <= wal_seq, once it is carried out of
 * those with an id below purge_id.
 *
 * Ownership  A list owns its deletes and their texts.
 * Errors     CW_E_NOT_FOUND, CW_E_IO; CW_E_INVALID: of a version that is newer than ours. A line that is damaged is counted
 *            and left out.
 */
#ifndef CW_STORE_DELETE_LIST_H
#define CW_STORE_DELETE_LIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Deletes of all tenants that a file may hold: each costs every query of its tenant a look. */
#define CW_DELETES_MAX 10000u

enum cw_delete_state {
    CW_DELETE_RECEIVED,   /* hides; can be cancelled */
    CW_DELETE_PROCESSING, /* hides; parts are being written anew without its entries */
    CW_DELETE_PROCESSED,  /* a receipt: nothing is left of them */
};

struct cw_delete_row {
    uint32_t id; /* drawn at random; not 0 */
    enum cw_delete_state state;
    uint64_t wal_seq;
    int64_t first_ns, last_ns;   /* times of entries, inclusive */
    int64_t created_ns, due_ns;  /* removal begins at due_ns */
    uint64_t purge_id, nremoved; /* from PROCESSING on */
    uint64_t
        nunread; /* entries of bad blocks that it may be of; they left their parts for quarantine/ */
    int64_t finished_ns; /* PROCESSED */
    struct cw_str tenant, query;
};

/* Where entries are: a part, or a generation of the head (id 0). */
struct cw_delete_place {
    uint64_t id, wal_last;
    int64_t min_ns, max_ns; /* inclusive */
};
/* The delete is of parts with a lower id; UINT64_MAX: of all. */
uint64_t cw_delete_list_below_id(const struct cw_delete_row *row);
/* Is it of entries that may be there? */
bool cw_delete_list_row_is_of(const struct cw_delete_row *row, uint64_t below_id,
                              const struct cw_delete_place *place);

struct cw_delete_list {
    struct cw_delete_row *rows; /* in the order they were made */
    size_t n, cap;
};

void cw_delete_list_fini(struct cw_delete_list *list);
/* Copies the texts. */
void cw_delete_list_add(struct cw_delete_list *list, const struct cw_delete_row *row);

void cw_delete_list_format(const struct cw_delete_list *list, struct cw_buf *out);
/* *nbad_out: damaged lines, a missing end included. */
int cw_delete_list_parse(struct cw_str text, struct cw_delete_list *out, size_t *nbad_out,
                         struct cw_err *err) CW_MUST_USE;
int cw_delete_list_read(const char *data_dir, struct cw_delete_list *out, size_t *nbad_out,
                        struct cw_err *err) CW_MUST_USE;
/* Room for the next write of the list on a full disk, in the file `deletes.reserve` (room_reserve.h). A list that is longer waits for
 * room there. */
#define CW_DELETES_RESERVE_BYTES ((size_t)256 << 10)
/* See to it that it is there. */
int cw_delete_list_reserve(const char *data_dir, struct cw_err *err) CW_MUST_USE;
/* On failure the old one or the new one is on disk. On a full disk it takes the reserve, which is made again of what that leaves. */
int cw_delete_list_write(const char *data_dir, const struct cw_delete_list *list,
                         struct cw_err *err) CW_MUST_USE;

#endif
