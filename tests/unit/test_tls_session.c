#include <criterion/criterion.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "common/net/tls_session.h"

static char cert_file[] = "/tmp/cw-tls-cert-XXXXXX", key_file[] = "/tmp/cw-tls-key-XXXXXX";
static struct cw_tls_server *server;
static struct cw_tls_session *session;
static struct cw_buf plain, send;

static void write_file(char *path, const gnutls_datum_t *data)
{
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, data->data, data->size), (ssize_t)data->size);
    close(fd);
}

/* A certificate that vouches for itself. */
static void certificate_make(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t text;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    cr_assert_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                 0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, "\1", 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 100);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 10000);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, "x", 1);
    gnutls_x509_crt_set_key(cert, key);
    cr_assert_eq(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    cr_assert_eq(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text), 0);
    write_file(cert_file, &text);
    gnutls_free(text.data);
    cr_assert_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
    write_file(key_file, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

static void server_make(const char *client_ca_file)
{
    bool asks = client_ca_file != NULL && client_ca_file[0] != '\0';
    struct cw_tls_server_options options = {.cert_file = cert_file,
                                            .key_file = key_file,
                                            .client_ca_file = client_ca_file,
                                            .client_auth = asks ? CW_TLS_CLIENT_REQUIRE_AND_VERIFY
                                                                : CW_TLS_CLIENT_NONE,
                                            .min_version = CW_TLS_12};
    struct cw_err err = {0};
    cr_assert_eq(cw_tls_server_new(&options, &server, &err), 0, "%s", err.text);
    session = cw_tls_session_new(server);
}

static void setup(void)
{
    certificate_make();
    cw_buf_init(&plain, 1u << 20);
    cw_buf_init(&send, 1u << 20);
}

static void teardown(void)
{
    cw_tls_session_free(&session);
    cw_tls_server_free(&server);
    cw_buf_fini(&plain);
    cw_buf_fini(&send);
    unlink(cert_file);
    unlink(key_file);
}

TestSuite(tls_session, .init = setup, .fini = teardown);

/* ---- a client, to whom `send` is what comes in ---- */

static struct cw_buf sent;
static size_t taken;

static ssize_t client_pull(gnutls_transport_ptr_t ptr, void *bytes, size_t cap)
{
    gnutls_session_t client = *(gnutls_session_t *)ptr;
    size_t n = send.len - taken < cap ? send.len - taken : cap;
    if (n == 0) {
        gnutls_transport_set_errno(client, EAGAIN);
        return -1;
    }
    memcpy(bytes, send.ptr + taken, n);
    taken += n;
    return (ssize_t)n;
}

static ssize_t client_push(gnutls_transport_ptr_t ptr, const void *bytes, size_t n)
{
    cw_buf_add(&sent, bytes, n);
    return (ssize_t)n;
}

static gnutls_session_t client_make(gnutls_certificate_credentials_t *credentials)
{
    static gnutls_session_t client;
    cw_buf_init(&sent, 1u << 20);
    gnutls_certificate_allocate_credentials(credentials);
    gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(client);
    gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, *credentials);
    gnutls_transport_set_ptr(client, &client);
    gnutls_transport_set_pull_function(client, client_pull);
    gnutls_transport_set_push_function(client, client_push);
    return client;
}

/* What the client sent goes to the session, `piece` bytes at a time. */
static int deliver(size_t piece)
{
    int rc = 0;
    for (size_t at = 0; at < sent.len && rc == 0; at += piece)
        rc = cw_tls_session_take(session, cw_str_sub(cw_buf_str(&sent), at, at + piece), &plain,
                                 &send, NULL);
    cw_buf_clear(&sent);
    return rc;
}

static int handshake(gnutls_session_t client, size_t piece)
{
    int rc = 0;
    for (int i = 0; i < 10 && rc == 0; i++) {
        int shaken = gnutls_handshake(client);
        rc = deliver(piece);
        if (shaken == 0)
            return rc;
        cr_assert_eq(shaken, GNUTLS_E_AGAIN);
    }
    return rc;
}

Test(tls_session, bytes_go_both_ways_however_they_are_cut)
{
    for (size_t piece = 1; piece < 20000; piece *= 37) {
        gnutls_certificate_credentials_t credentials;
        gnutls_session_t client = client_make(&credentials);
        char text[100] = "";
        server_make("");
        cr_assert_eq(handshake(client, piece), 0);
        cr_assert_eq(gnutls_record_send(client, "hello ", 6), 6);
        cr_assert_eq(gnutls_record_send(client, "world", 5), 5);
        cr_assert_eq(deliver(piece), 0);
        cr_assert(cw_str_eqz(cw_buf_str(&plain), "hello world"));
        cr_assert_eq(cw_tls_session_send(session, CW_STR("answer"), &send, NULL), 0);
        ssize_t got;
        while ((got = gnutls_record_recv(client, text, sizeof text)) < 0)
            cr_assert(!gnutls_error_is_fatal((int)got));
        cr_assert_str_eq(text, "answer");
        gnutls_bye(client, GNUTLS_SHUT_WR);
        cr_assert_eq(deliver(piece), 1, "the client has ended its side");
        gnutls_deinit(client);
        gnutls_certificate_free_credentials(credentials);
        cw_tls_session_free(&session);
        cw_tls_server_free(&server);
        cw_buf_fini(&sent);
        cw_buf_clear(&plain);
        cw_buf_clear(&send);
        taken = 0;
    }
}

Test(tls_session, a_client_without_a_certificate_that_is_asked_for_is_refused)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t client = client_make(&credentials);
    server_make(cert_file);
    cr_assert_eq(handshake(client, 100000), CW_E_INVALID);
    cr_assert_eq(plain.len, 0);
    gnutls_deinit(client);
    gnutls_certificate_free_credentials(credentials);
    cw_buf_fini(&sent);
}

/* A client that offers no newer version than the server's oldest. */
Test(tls_session, an_old_version_is_refused)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t client = client_make(&credentials);
    server_make("");
    gnutls_priority_set_direct(client, "NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL);
    cr_assert_eq(handshake(client, 100000), CW_E_INVALID);
    gnutls_deinit(client);
    gnutls_certificate_free_credentials(credentials);
    cw_buf_fini(&sent);
}

Test(tls_session, bytes_that_are_no_tls)
{
    struct cw_err err = {0};
    server_make(NULL);
    cr_assert_eq(
        cw_tls_session_take(session, CW_STR("GET / HTTP/1.1\r\n\r\n"), &plain, &send, &err),
        CW_E_INVALID);
    cr_assert(plain.len == 0 && send.len > 0, "an alert goes back");
}

Test(tls_session, files_that_hold_nothing_of_use)
{
    struct cw_err err = {0};
    const struct {
        struct cw_tls_server_options options;
        int rc;
        const char *told;
    } rows[] = {
        {{.cert_file = "/nowhere", .key_file = key_file}, CW_E_NOT_FOUND, "/nowhere"},
        {{.cert_file = cert_file, .key_file = cert_file}, CW_E_INVALID, "with the key"},
        {{.cert = CW_STR("no PEM"), .key_file = key_file}, CW_E_INVALID, "as text"},
        {{.cert_file = cert_file, .key_file = key_file, .client_ca_file = "/dev/null"},
         CW_E_INVALID,
         "/dev/null"},
        {{.cert_file = cert_file,
          .key_file = key_file,
          .client_auth = CW_TLS_CLIENT_VERIFY_IF_GIVEN},
         CW_E_INVALID,
         "no CA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(cw_tls_server_new(&rows[i].options, &server, &err), rows[i].rc, "%zu", i);
        cr_expect_not_null(strstr(err.text, rows[i].told), "%zu: %s", i, err.text);
        cr_expect_null(server);
    }
}
