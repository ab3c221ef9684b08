#include "common/net/tls_session.h"
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/net/tls_session_priv.h"

enum { RECORD_BYTES = 16384 };
/* Certificates of a file: all that a system trusts are 0.3 MB. */
#define PEM_BYTES (4u << 20)

struct cw_tls_server {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    enum cw_tls_client_auth client_auth;
    char *cert, *key; /* PEM */
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

/* The PEM text of an option; *bytes holds it if it is a file's. */
static int pem_read(struct cw_str text, const char *path, struct cw_buf *bytes, gnutls_datum_t *out,
                    struct cw_err *err)
{
    if (text.len == 0) {
        int rc = cw_file_read(path, PEM_BYTES, bytes, err);
        if (rc < 0)
            return rc;
        text = cw_buf_str(bytes);
    }
    *out = (gnutls_datum_t){(unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len};
    return 0;
}

static const char *source_of(struct cw_str text, const char *path)
{
    return text.len > 0 ? "as text" : path;
}

static int identity_set(struct cw_tls_server *server, const struct cw_tls_server_options *options,
                        struct cw_err *err)
{
    struct cw_buf cert_bytes, key_bytes;
    gnutls_datum_t cert, key;
    cw_buf_init(&cert_bytes, PEM_BYTES);
    cw_buf_init(&key_bytes, PEM_BYTES);
    int rc = pem_read(options->cert, options->cert_file, &cert_bytes, &cert, err);
    if (rc == 0)
        rc = pem_read(options->key, options->key_file, &key_bytes, &key, err);
    if (rc == 0) {
        int tls = gnutls_certificate_set_x509_key_mem(server->credentials, &cert, &key,
                                                      GNUTLS_X509_FMT_PEM);
        if (tls < 0)
            rc = cw_err_set(err, CW_E_INVALID, "the certificate %s with the key %s: %s",
                            source_of(options->cert, options->cert_file),
                            source_of(options->key, options->key_file), gnutls_strerror(tls));
    }
    if (rc == 0) {
        server->cert = cw_str_dupz(cw_str_make((const char *)cert.data, cert.size));
        server->key = cw_str_dupz(cw_str_make((const char *)key.data, key.size));
    }
    cw_buf_fini(&cert_bytes);
    cw_buf_fini(&key_bytes);
    return rc;
}

static int client_ca_set(struct cw_tls_server *server, const struct cw_tls_server_options *options,
                         struct cw_err *err)
{
    struct cw_buf bytes;
    gnutls_datum_t ca;
    cw_buf_init(&bytes, PEM_BYTES);
    int rc = pem_read(options->client_ca, options->client_ca_file, &bytes, &ca, err);
    if (rc == 0) {
        int n =
            gnutls_certificate_set_x509_trust_mem(server->credentials, &ca, GNUTLS_X509_FMT_PEM);
        if (n <= 0)
            rc = cw_err_set(err, CW_E_INVALID, "certificates in %s: %s",
                            source_of(options->client_ca, options->client_ca_file),
                            n < 0 ? gnutls_strerror(n) : "none");
    }
    cw_buf_fini(&bytes);
    return rc;
}

static bool verifies(enum cw_tls_client_auth auth)
{
    return auth == CW_TLS_CLIENT_VERIFY_IF_GIVEN || auth == CW_TLS_CLIENT_REQUIRE_AND_VERIFY;
}

int cw_tls_server_new(const struct cw_tls_server_options *options, struct cw_tls_server **out,
                      struct cw_err *err)
{
    static const char *const priorities[] = {
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0",
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1",
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"};
    struct cw_tls_server *server = cw_mem_new(sizeof *server);
    bool ca = options->client_ca.len > 0 ||
              (options->client_ca_file != NULL && options->client_ca_file[0] != '\0');
    int tls = gnutls_certificate_allocate_credentials(&server->credentials);
    if (tls == 0)
        tls = gnutls_priority_init(&server->priority, priorities[options->min_version], NULL);
    CW_ASSERT(tls == 0);
    server->client_auth = options->client_auth;
    int rc = identity_set(server, options, err);
    if (rc == 0 && ca)
        rc = client_ca_set(server, options, err);
    else if (rc == 0 && verifies(server->client_auth))
        rc = cw_err_set(err, CW_E_INVALID,
                        "certificates of clients are to be verified, but no CA says by what");
    if (rc < 0)
        cw_tls_server_free(&server);
    *out = server;
    return rc;
}

void cw_tls_server_free(struct cw_tls_server **server)
{
    if (*server == NULL)
        return;
    gnutls_certificate_free_credentials((*server)->credentials);
    gnutls_priority_deinit((*server)->priority);
    free((*server)->cert);
    free((*server)->key);
    free(*server);
    *server = NULL;
}

char *tls_server_cert(const struct cw_tls_server *server)
{
    return server->cert;
}

char *tls_server_key(const struct cw_tls_server *server)
{
    return server->key;
}

/* A certificate that came is signed by a client CA, in time, and for clients if it says for whom. */
static int on_verify(gnutls_session_t session)
{
    static char client_purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)client_purpose, 0};
    unsigned status, n = 0;
    if (gnutls_certificate_get_peers(session, &n) == NULL || n == 0)
        return 0; /* who must show one is refused before this */
    int rc = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    return rc < 0 ? rc : status != 0 ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

void tls_server_apply(const struct cw_tls_server *server, gnutls_session_t session)
{
    static const gnutls_certificate_request_t requests[] = {
        [CW_TLS_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
        [CW_TLS_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
        [CW_TLS_CLIENT_REQUIRE_ANY] = GNUTLS_CERT_REQUIRE,
        [CW_TLS_CLIENT_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
        [CW_TLS_CLIENT_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
    };
    int rc = gnutls_priority_set(session, server->priority);
    if (rc == 0)
        rc = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, server->credentials);
    CW_ASSERT(rc == 0); /* fails for want of memory alone */
    gnutls_certificate_server_set_request(session, requests[server->client_auth]);
    if (verifies(server->client_auth))
        gnutls_session_set_verify_function(session, on_verify);
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
    CW_ASSERT(rc == 0); /* fails for want of memory alone */
    tls_server_apply(server, session->tls);
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

bool cw_tls_session_agreed(const struct cw_tls_session *session)
{
    return session->shaken;
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
