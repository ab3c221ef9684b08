#include "common/net/tls_session.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"

enum { RECORD_BYTES = 16384 };

struct cw_tls_server {
    gnutls_certificate_credentials_t credentials;
    bool ask_client;
};

struct cw_tls_session {
    gnutls_session_t tls;
    struct cw_str in;    /* of the call under way */
    struct cw_buf *send; /* of the call under way */
    bool shaken;         /* the handshake is done */
};

static int tls_error(struct cw_err *err, const char *what, int rc)
{
    return cw_err_set(err, CW_E_INVALID, "%s: %s", what, gnutls_strerror(rc));
}

int cw_tls_server_new(const struct cw_tls_server_options *options, struct cw_tls_server **out,
                      struct cw_err *err)
{
    struct cw_tls_server *server = cw_mem_new(sizeof *server);
    bool ask = options->client_ca_file != NULL && options->client_ca_file[0] != '\0';
    int rc = gnutls_certificate_allocate_credentials(&server->credentials), code = 0;
    CW_ASSERT(rc == 0);
    server->ask_client = ask;
    rc = gnutls_certificate_set_x509_key_file(server->credentials, options->cert_file,
                                              options->key_file, GNUTLS_X509_FMT_PEM);
    if (rc < 0) {
        code = cw_err_set(err, CW_E_INVALID, "the certificate %s with the key %s: %s",
                          options->cert_file, options->key_file, gnutls_strerror(rc));
    } else if (ask) {
        rc = gnutls_certificate_set_x509_trust_file(server->credentials, options->client_ca_file,
                                                    GNUTLS_X509_FMT_PEM);
        if (rc <= 0) /* a number of certificates */
            code = cw_err_set(err, CW_E_INVALID, "certificates in %s: %s", options->client_ca_file,
                              rc < 0 ? gnutls_strerror(rc) : "none");
    }
    if (code < 0)
        cw_tls_server_free(&server);
    *out = server;
    return code;
}

void cw_tls_server_free(struct cw_tls_server **server)
{
    if (*server == NULL)
        return;
    gnutls_certificate_free_credentials((*server)->credentials);
    free(*server);
    *server = NULL;
}

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *bytes, size_t cap)
{
    struct cw_tls_session *session = ptr;
    if (session->in.len == 0) {
        gnutls_transport_set_errno(session->tls, EAGAIN);
        return -1;
    }
    size_t n = CW_MIN(cap, session->in.len);
    memcpy(bytes, session->in.ptr, n);
    session->in = cw_str_sub(session->in, n, session->in.len);
    return (ssize_t)n;
}

static ssize_t on_push(gnutls_transport_ptr_t ptr, const void *bytes, size_t n)
{
    struct cw_tls_session *session = ptr;
    cw_buf_add(session->send, bytes, n);
    return (ssize_t)n;
}

struct cw_tls_session *cw_tls_session_new(struct cw_tls_server *server)
{
    struct cw_tls_session *session = cw_mem_new(sizeof *session);
    int rc = gnutls_init(&session->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (rc == 0)
        rc = gnutls_set_default_priority(session->tls);
    if (rc == 0)
        rc = gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, server->credentials);
    CW_ASSERT(rc == 0); /* fails for want of memory alone */
    gnutls_certificate_server_set_request(session->tls, server->ask_client ? GNUTLS_CERT_REQUIRE
                                                                           : GNUTLS_CERT_IGNORE);
    if (server->ask_client)
        gnutls_session_set_verify_cert(session->tls, NULL, 0);
    gnutls_transport_set_ptr(session->tls, session);
    gnutls_transport_set_pull_function(session->tls, on_pull);
    gnutls_transport_set_push_function(session->tls, on_push);
    return session;
}

void cw_tls_session_free(struct cw_tls_session **session)
{
    if (*session == NULL)
        return;
    gnutls_deinit((*session)->tls);
    free(*session);
    *session = NULL;
}

static bool goes_on(int rc)
{
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ||
           (rc < 0 && !gnutls_error_is_fatal(rc));
}

/* 1: done; 0: more bytes are to come. */
static int handshake(struct cw_tls_session *session, struct cw_err *err)
{
    int rc;
    do
        rc = gnutls_handshake(session->tls);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && goes_on(rc));
    if (rc == GNUTLS_E_AGAIN)
        return 0;
    if (rc < 0) {
        (void)gnutls_alert_send_appropriate(session->tls, rc);
        return tls_error(err, "TLS", rc);
    }
    session->shaken = true;
    return 1;
}

int cw_tls_session_take(struct cw_tls_session *session, struct cw_str received,
                        struct cw_buf *plain, struct cw_buf *send, struct cw_err *err)
{
    session->in = received;
    session->send = send;
    int rc = session->shaken ? 1 : handshake(session, err);
    while (rc > 0) {
        char *room = cw_buf_reserve(plain, RECORD_BYTES);
        if (room == NULL)
            return cw_err_set(err, CW_E_TOO_LARGE, "too much at once over TLS");
        ssize_t got = gnutls_record_recv(session->tls, room, RECORD_BYTES);
        if (got > 0)
            plain->len += (size_t)got;
        else if (got == 0)
            return 1;
        else if (got == GNUTLS_E_AGAIN)
            return 0;
        else if (!goes_on((int)got))
            return tls_error(err, "TLS", (int)got);
    }
    return rc;
}

int cw_tls_session_send(struct cw_tls_session *session, struct cw_str plain, struct cw_buf *send,
                        struct cw_err *err)
{
    session->send = send;
    while (plain.len > 0) {
        ssize_t sent = gnutls_record_send(session->tls, plain.ptr, plain.len);
        if (sent < 0 && !goes_on((int)sent))
            return tls_error(err, "TLS", (int)sent);
        plain = cw_str_sub(plain, sent > 0 ? (size_t)sent : 0, plain.len);
    }
    return 0;
}
