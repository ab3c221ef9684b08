#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "shipper/kubeconfig.h"

#define HEAD "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: c\n"
#define CONTEXT "contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://k:6443'}}]\n"
#define USER "users: [{name: u, user: {token: t}}]\n"

static int read_text(const char *text, struct cw_arena *arena, struct cw_str *server,
                     struct cw_http_access *access, struct cw_err *err)
{
    char path[] = "/tmp/cw-kubeconfig-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    *access = (struct cw_http_access){0};
    int rc = cw_kubeconfig_read(path, arena, server, access, err);
    unlink(path);
    return rc;
}

Test(kubeconfig, the_current_context_says_who_and_where)
{
    static const char text[] = HEAD CONTEXT
        "clusters:\n"
        "- {name: other, cluster: {server: 'https://other'}}\n"
        "- name: k\n"
        "  cluster: {server: 'https://k:6443/', certificate-authority-data: Q0E=, tls-server-name: "
        "api, proxy-url: 'http://p:1', disable-compression: true}\n"
        "users:\n"
        "- {name: other, user: {exec: {apiVersion: v1, command: aws, args: [a], env: null}}}\n"
        "- {name: u, user: {client-certificate: pki/c.pem, client-key-data: S0VZ}}\n";
    struct cw_arena *arena = cw_arena_new();
    struct cw_http_access access;
    struct cw_str server;
    struct cw_err err = {0};
    cr_assert_eq(read_text(text, arena, &server, &access, &err), 0, "%s", err.text);
    cr_expect(cw_str_eqz(server, "https://k:6443/") && cw_str_eqz(access.tls.ca, "CA"));
    cr_expect(cw_str_eqz(access.tls.server_name, "api") &&
              cw_str_eqz(access.proxy.url, "http://p:1"));
    cr_expect(cw_str_eqz(access.tls.cert_file, "/tmp/pki/c.pem") &&
              cw_str_eqz(access.tls.key, "KEY"));
    cr_assert_eq(read_text(HEAD CONTEXT CLUSTER
                           "users: [{name: u, user: {token: t, tokenFile: token, username: x}}]\n",
                           arena, &server, &access, &err),
                 0);
    cr_expect(cw_str_eqz(access.bearer_token_file, "/tmp/token") && access.bearer_token.len == 0 &&
              access.basic_auth.username.len == 0);
    cw_arena_free(&arena);
}

Test(kubeconfig, what_it_cannot_mean_is_said)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"clusters: {}\n", "clusters"},
        {"", "there is no context \"\""},
        {HEAD CLUSTER USER, "there is no context \"c\""},
        {HEAD CONTEXT USER, "there is no cluster \"k\""},
        {HEAD CONTEXT CLUSTER, "there is no user \"u\""},
        {HEAD CONTEXT CLUSTER "users: [{name: u, user: {exec: {command: aws}}}]\n", "(exec)"},
        {HEAD CONTEXT CLUSTER
         "users: [{name: u, user: {auth-provider: {name: gcp, config: {}}}}]\n",
         "(auth-provider)"},
        {HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-key-data: '!'}}]\n",
         "client-key-data is no base64"},
        {HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-key: k}}]\n", "go together"},
        {HEAD CONTEXT USER "clusters: [{name: k, cluster: {server: 'k:6443'}}]\n", "http://"},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_http_access access;
        struct cw_str server;
        struct cw_err err = {0};
        cr_assert_eq(read_text(cases[i].text, arena, &server, &access, &err), CW_E_INVALID, "%s",
                     cases[i].text);
        cr_expect(strstr(err.text, cases[i].told) && strstr(err.text, "/tmp/cw-kubeconfig"),
                  "%s: %s", cases[i].text, err.text);
    }
    cw_arena_free(&arena);
}
