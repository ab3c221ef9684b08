/*
 * forward_handshake.h - how a client of Fluentd's forward protocol, version 1, shows that it may send, and the server that it is
 * one. Pure.
 *
 *   server: HELO {nonce, auth: salt}      client: PING host, its salt, digest of the key, user, digest of the password
 *   server: PONG yes or why not, host, digest of the key
 *
 *   digest of the key      sha512_hex(client's salt + host + nonce + shared key), of either host
 *   digest of the password sha512_hex(auth + user + password)
 *
 * Ownership  Texts of the rules are borrowed.
 * Errors     CW_E_INVALID: no PING; CW_E_FORBIDDEN: the client may not. Any bytes are safe.
 * Source     github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
 */
#ifndef CW_SHIPPER_FORWARD_HANDSHAKE_H
#define CW_SHIPPER_FORWARD_HANDSHAKE_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"

enum { CW_FORWARD_NONCE_BYTES = 16 };
/* A host's name, as DNS bounds it. */
enum { CW_FORWARD_HOST_BYTES = 255 };
/* A PING has a host's name, two digests of 128 bytes, a salt and a user's name. */
#define CW_FORWARD_PING_BYTES 4096

struct cw_forward_user {
    struct cw_str username, password;
};
struct cw_forward_rules {
    struct cw_str hostname, shared_key;
    const struct cw_forward_user *users;
    size_t nusers; /* 0: only the key is asked for */
};

/* What the server has drawn for one connection. */
struct cw_forward_handshake {
    uint8_t nonce[CW_FORWARD_NONCE_BYTES], auth[CW_FORWARD_NONCE_BYTES];
};

/* Draw, and append the HELO. */
void cw_forward_helo(const struct cw_forward_rules *rules, struct cw_forward_handshake *handshake,
                     struct cw_buf *out);
/* `message` is one whole value. The PONG is appended in any case; after an error it says no. */
int cw_forward_ping(const struct cw_forward_rules *rules,
                    const struct cw_forward_handshake *handshake, struct cw_str message,
                    struct cw_buf *out, struct cw_err *err) CW_MUST_USE;

#endif
