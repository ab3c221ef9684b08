/*
 * tls_session.h - the server's side of TLS (GnuTLS): what a server shows and asks for, and sessions over any bytes: what came in
 * is given in, what is to be sent comes out. They know no socket. An HTTP server takes a cw_tls_server too (http_server.h).
 *
 *   cw_tls_session_take(session, received, &plain, &send, &err);      also drives the handshake
 *   cw_tls_session_send(session, answer, &send);
 *
 * Ownership  A session refers to its server, which lives longer.
 * Threads    A server may be shared; a session belongs to one thread.
 * Errors     CW_E_NOT_FOUND, CW_E_IO: a file cannot be read. CW_E_INVALID: files that hold no certificate or key, a peer that does not speak TLS, or shows no certificate that is
 *            asked for. The session must not be used on; what is in `send` may still be sent (the alert).
 */
#ifndef CW_NET_TLS_SESSION_H
#define CW_NET_TLS_SESSION_H
#include <stdbool.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_tls_server;
struct cw_tls_session;

/* What is asked of a client: Go's names for it. */
enum cw_tls_client_auth {
    CW_TLS_CLIENT_NONE,
    CW_TLS_CLIENT_REQUEST,         /* a certificate, any, or none */
    CW_TLS_CLIENT_REQUIRE_ANY,     /* a certificate, whoever signed it */
    CW_TLS_CLIENT_VERIFY_IF_GIVEN, /* one that a client CA signed, or none */
    CW_TLS_CLIENT_REQUIRE_AND_VERIFY,
};
enum cw_tls_version { CW_TLS_10, CW_TLS_11, CW_TLS_12, CW_TLS_13 };

/* PEM, as text where it is not empty, else of the file; the certificate with those between it and its root. */
struct cw_tls_server_options {
    struct cw_str cert, key, client_ca;
    const char *cert_file, *key_file, *client_ca_file; /* NULL or "": none */
    enum cw_tls_client_auth client_auth;
    enum cw_tls_version min_version;
};

int cw_tls_server_new(const struct cw_tls_server_options *options, struct cw_tls_server **out,
                      struct cw_err *err) CW_MUST_USE;
void cw_tls_server_free(struct cw_tls_server **server);

struct cw_tls_session *cw_tls_session_new(struct cw_tls_server *server);
void cw_tls_session_free(struct cw_tls_session **session);
/* Take all of `received`; what it says is appended to *plain, what is to be sent to *send. Returns 1 when the peer has ended its
 * side, else 0. */
int cw_tls_session_take(struct cw_tls_session *session, struct cw_str received,
                        struct cw_buf *plain, struct cw_buf *send, struct cw_err *err) CW_MUST_USE;
/* Is the handshake done? */
bool cw_tls_session_agreed(const struct cw_tls_session *session);
/* After the handshake. */
int cw_tls_session_send(struct cw_tls_session *session, struct cw_str plain, struct cw_buf *send,
                        struct cw_err *err) CW_MUST_USE;

#endif
