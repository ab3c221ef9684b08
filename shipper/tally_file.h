/*
 * tally_file.h - the tallies of all sources as text: the file beside the positions, and what /targets shows.
 *
 * The file is written whole with each save of the positions; one JSON object a line, members that are 0 or empty left out:
 *   {"ledger":1}
 *   {"source":"<32 hex>","generation":1,"counted_to":4096,"read":40,"read_bytes":4056,"joined":0,"made":0,"redacted":0,"spooled":0,
 *    "dropped":{"<why>":1},"gap_bytes":0,"gaps":[{"generation":1,"from":0,"to":9,"why":".."}],
 *    "clients":{"<name>":{"sent":39,"acknowledged":39,"adopted":0,"left_out":{},"refused":{"<why>":0}}},
 *    "text_size":4096,"text_whole":true,"emitted_to":4096,"places":[{"client":"<name>","tenant":"<name>","sent_to":4096,"told_to":4096}]}
 * The source of 32 zeros stands for all that are forgotten.
 *
 * Errors     CW_E_CORRUPT with the line, CW_E_TOO_LARGE. Any bytes are safe to decode. Counts decide nothing: whoever cannot
 *            read them begins anew.
 */
#ifndef CW_SHIPPER_TALLY_FILE_H
#define CW_SHIPPER_TALLY_FILE_H
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/wire/json_writer.h"
#include "common/wire/push.h"
#include "shipper/tally.h"

/* Some 300 bytes a source without its places: room for 400,000 of them, and for all places. */
#define CW_TALLY_FILE_BYTES (128u << 20)
/* All places together. There are outputs times sources of them, all written with each save: at some 100 bytes each this is room for
 * 80,000. The sources that have any share it evenly; in each those furthest ahead go in. What is left out counts again after a restart. */
#define CW_TALLY_PLACES_BYTES (8u << 20)
/* The most that one takes, but for its names. */
#define CW_TALLY_PLACE_BYTES 88u

void cw_tally_file_begin(struct cw_buf *out);
void cw_tally_file_add(const struct cw_id128 *source, const struct cw_tally *tally,
                       struct cw_buf *out);
/* The members of one tally, into an object that is begun. */
void cw_tally_members(const struct cw_tally *tally, struct cw_json_writer *w);

/* What cw_tally_members() wrote, in a document that jansson has read. */
struct json_t;
struct cw_tally *cw_tally_from_json(struct json_t *object);

/* Takes the tally. */
typedef void (*cw_tally_file_fn)(void *arg, const struct cw_id128 *source, struct cw_tally *tally);
int cw_tally_file_decode(struct cw_str bytes, cw_tally_file_fn fn, void *arg,
                         struct cw_err *err) CW_MUST_USE;

#endif
