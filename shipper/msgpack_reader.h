/*
 * msgpack_reader.h - pull values out of MessagePack, bounded and without a tree.
 *
 * An array or map is its head alone; what it holds follows, value by value.
 *
 * Ownership  Texts borrow from the bytes.
 * Errors     CW_E_INVALID: no MessagePack, or deeper than CW_MSGPACK_DEPTH. Any bytes are safe.
 * Source     github.com/msgpack/msgpack, spec.md
 */
#ifndef CW_SHIPPER_MSGPACK_READER_H
#define CW_SHIPPER_MSGPACK_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/wire/json_writer.h"

/* Writing as JSON recurses; nobody's events nest so deep. */
enum { CW_MSGPACK_DEPTH = 32 };

enum cw_msgpack_kind {
    CW_MSGPACK_NIL,
    CW_MSGPACK_BOOL,  /* number: 0 or 1 */
    CW_MSGPACK_INT,   /* number, negative */
    CW_MSGPACK_UINT,  /* number, as uint64_t */
    CW_MSGPACK_FLOAT, /* real */
    CW_MSGPACK_STR,
    CW_MSGPACK_BIN,
    CW_MSGPACK_EXT, /* bytes; number is the type */
    CW_MSGPACK_ARRAY,
    CW_MSGPACK_MAP,
};

struct cw_msgpack_value {
    enum cw_msgpack_kind kind;
    int64_t number;
    double real;
    struct cw_str bytes; /* STR, BIN, EXT */
    uint32_t n;          /* ARRAY: values, MAP: pairs */
};

/* Take the next value off the front. 1; 0: the bytes end before it does (nothing is taken). */
int cw_msgpack_next(struct cw_str *bytes, struct cw_msgpack_value *out,
                    struct cw_err *err) CW_MUST_USE;
/* How far a value was walked through: zeroed at its beginning. */
struct cw_msgpack_walk {
    size_t at;     /* at its end: how long it is */
    uint64_t left; /* values that are to come */
    bool begun;
};
/* Walk through the value that the bytes begin with, and all it holds. 1: walk->at is its end; 0: the
 * bytes end before it does, and with more of them the walk goes on where it is. */
int cw_msgpack_measure(struct cw_str bytes, struct cw_msgpack_walk *walk,
                       struct cw_err *err) CW_MUST_USE;
/* Take the next value off the front with all it holds, and write it as JSON: what no JSON is as text.
 * A value that is not there whole is CW_E_INVALID. */
int cw_msgpack_to_json(struct cw_str *bytes, struct cw_json_writer *out,
                       struct cw_err *err) CW_MUST_USE;

#endif
