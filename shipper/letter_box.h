/*
 * letter_box.h - a file of dead letters that is sent again, so that it may be interrupted anywhere: what is done, what is to be
 * kept, and an identity of its own in the delivery protocol.
 *
 * Files      <file>, in place until all is done; <file>.again: the letters to keep; <file>.progress, text:
 *              cordwood-resend 1
 *              file <dev> <ino> <size>
 *              again <bytes of .again that count>
 *              shipper <32 hex> session <32 hex> source <32 hex>
 *              done <offset> <client> <tenant>        one a destination; names as in the positions file
 *            At the end .again takes the file's place, or the file is removed. Progress that names another file is void.
 * Lock       flock(2) on the file: two do not send it at a time.
 * Errors     CW_E_FORBIDDEN (another one has it), CW_E_NOT_FOUND, CW_E_IO, CW_E_CORRUPT. Any bytes are safe to read.
 */
#ifndef CW_SHIPPER_LETTER_BOX_H
#define CW_SHIPPER_LETTER_BOX_H
#include "common/base/arena.h"
#include "common/base/file.h"
#include "common/wire/push.h"

/* Where letters go: a client, and a tenant other than its own. */
struct cw_letter_route {
    struct cw_str client, tenant;
    uint64_t done; /* all its letters ahead of this offset are settled */
};

struct cw_letter_box {
    struct cw_arena *arena; /* of paths and routes */
    const char *path, *again_path, *progress_path;
    int fd, again_fd;
    struct cw_file_map map; /* the whole file */
    uint64_t dev, ino, again_bytes;
    struct cw_id128 shipper, session, source;
    struct cw_letter_route *routes;
    size_t nroutes, routes_cap;
};

/* Take away what a running shipper wrote at `refused_path` and its .old, as <refused_path>.<number>; none is fine. */
int cw_letter_box_take(const char *refused_path, struct cw_err *err) CW_MUST_USE;
/* The files that were so taken, oldest first; live in the arena. */
int cw_letter_box_list(const char *refused_path, struct cw_arena *arena, const char ***out,
                       size_t *n_out, struct cw_err *err) CW_MUST_USE;

int cw_letter_box_open(const char *path, struct cw_letter_box *out, struct cw_err *err) CW_MUST_USE;
void cw_letter_box_close(struct cw_letter_box *box);
/* The route of a client and tenant; made when it is first asked for. Borrowed until the next one is. */
struct cw_letter_route *cw_letter_box_route(struct cw_letter_box *box, struct cw_str client,
                                            struct cw_str tenant);
/* The line at *at, and *at behind it; false at the end. A last line needs no newline. */
bool cw_letter_box_line(const struct cw_letter_box *box, uint64_t *at, struct cw_str *line);
/* Keep a letter (with its newline): durable with the next _save(). */
int cw_letter_box_keep(struct cw_letter_box *box, struct cw_str letter,
                       struct cw_err *err) CW_MUST_USE;
/* Make it durable. */
int cw_letter_box_save(struct cw_letter_box *box, struct cw_err *err) CW_MUST_USE;
/* All is settled: what was kept takes the file's place. */
int cw_letter_box_finish(struct cw_letter_box *box, struct cw_err *err) CW_MUST_USE;

/* For tests: read a progress file for this box. */
int cw_letter_box_progress_decode(struct cw_letter_box *box, struct cw_str text,
                                  struct cw_err *err) CW_MUST_USE;

#endif
