/* tls_session_priv.h - a server's side of TLS for sessions that libmicrohttpd makes. */
#ifndef CW_NET_TLS_SESSION_PRIV_H
#define CW_NET_TLS_SESSION_PRIV_H
#include <gnutls/gnutls.h>
#include "common/net/tls_session.h"

/* Before its handshake: the session shows and asks what the server is to. */
void tls_server_apply(const struct cw_tls_server *server, gnutls_session_t session);
/* PEM, for libmicrohttpd's own start; they live as long as the server. */
char *tls_server_cert(const struct cw_tls_server *server);
char *tls_server_key(const struct cw_tls_server *server);

#endif
