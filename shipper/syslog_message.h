/*
 * syslog_message.h - syslog messages: how they are framed in a stream, and what they say. Pure: bytes
 * in, values out.
 *
 *   RFC 5424  <PRI>1 TIME HOST APP PROCID MSGID [id name="value" ...]... MSG
 *   RFC 3164  <PRI>Mmm dd hh:mm:ss HOST TAG[PID]: MSG      local time, without a year
 * and what programs write for the latter: RFC 3339 times (rsyslog), a year behind the day, no host, a
 * number before the time and a colon behind it (Cisco).
 *
 * Ownership  Texts borrow from the message; unescaped values live in the arena.
 * Errors     CW_E_INVALID: not such a message. Any bytes are safe.
 */
#ifndef CW_SHIPPER_SYSLOG_MESSAGE_H
#define CW_SHIPPER_SYSLOG_MESSAGE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Parameters of structured data in one message. */
#define CW_SYSLOG_PARAMS_MAX 256

struct cw_syslog_param {
    struct cw_str id, name, value;
};

/* Empty texts: not given, or "-". */
struct cw_syslog_message {
    unsigned facility, severity;
    int64_t ts_ns; /* CW_PUSH_TS_NONE: none */
    struct cw_str hostname, app_name, proc_id, msg_id;
    struct cw_syslog_param *params;
    size_t nparams;
    struct cw_str text;
};

int cw_syslog_rfc5424_decode(struct cw_str message, struct cw_arena *arena,
                             struct cw_syslog_message *out, struct cw_err *err) CW_MUST_USE;
/* The year is that in which the time is nearest to now_ns. */
int cw_syslog_rfc3164_decode(struct cw_str message, int64_t now_ns, struct cw_syslog_message *out,
                             struct cw_err *err) CW_MUST_USE;
/* "emergency", ..., and "kern", ...; "" for a number that has none. */
const char *cw_syslog_severity(unsigned severity);
const char *cw_syslog_facility(unsigned facility);

enum cw_syslog_frame {
    CW_SYSLOG_FRAME_NONE, /* the bytes end before it does */
    CW_SYSLOG_FRAME_WHOLE,
    CW_SYSLOG_FRAME_CUT, /* longer than max_len: its beginning; *skip bytes behind `bytes` are its rest */
};
/* Take a message off the front: counted in octets ("12 <13>..."), or ended by a newline or NUL; `end`:
 * by the end of the bytes. */
enum cw_syslog_frame cw_syslog_frame_take(struct cw_str *bytes, bool end, size_t max_len,
                                          struct cw_str *message, size_t *skip);

#endif
