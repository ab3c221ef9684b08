#include "shipper/kubeconfig.h"
#include "common/base/base64.h"
#include "common/base/limits.h"
#include "common/config/yaml_load.h"

/* ---- the file ---- */

struct cluster {
    struct cw_str name, server, ca_path, ca_data, server_name, proxy_url;
    bool insecure_skip_verify;
};
struct user {
    struct cw_str name, cert_path, cert_data, key_path, key_data, token, token_path, username,
        password;
    struct cw_str command, provider; /* that would make credentials */
    bool has_exec, has_provider;
};
struct context {
    struct cw_str name, cluster, user;
};
struct kubeconfig {
    struct cw_config_tables clusters, users, contexts;
    struct cw_str current;
};

#define ROW(type, member) offsetof(struct type, member)
#define NO_MATTER(key)                                                                             \
    {                                                                                              \
        (key), CW_KEY_IGNORED, .doc = "it does not matter here"                                    \
    }

static const struct cw_key_def cluster_keys[] = {
    {"name", CW_KEY_STRING, ROW(cluster, name), .flags = CW_KEY_REQUIRED},
    {"cluster.server", CW_KEY_STRING, ROW(cluster, server), .check = cw_url_check},
    {"cluster.certificate-authority", CW_KEY_STRING, ROW(cluster, ca_path)},
    {"cluster.certificate-authority-data", CW_KEY_STRING, ROW(cluster, ca_data)},
    {"cluster.insecure-skip-tls-verify", CW_KEY_BOOL, ROW(cluster, insecure_skip_verify),
     .def = "false"},
    {"cluster.tls-server-name", CW_KEY_STRING, ROW(cluster, server_name)},
    {"cluster.proxy-url", CW_KEY_STRING, ROW(cluster, proxy_url), .check = cw_url_check},
    NO_MATTER("cluster.disable-compression"),
    NO_MATTER("cluster.extensions"),
};
static const struct cw_table_def cluster_table = CW_TABLE("cluster", cluster_keys, struct cluster);

static const struct cw_key_def exec_keys[] = {
    {"command", CW_KEY_STRING, 0},
    NO_MATTER("apiVersion"),
    NO_MATTER("args"),
    NO_MATTER("env"),
    NO_MATTER("interactiveMode"),
    NO_MATTER("installHint"),
    NO_MATTER("provideClusterInfo"),
};
static const struct cw_table_def exec_table = CW_TABLE("exec", exec_keys, struct cw_str);
static const struct cw_key_def provider_keys[] = {{"name", CW_KEY_STRING, 0}, NO_MATTER("config")};
static const struct cw_table_def provider_table =
    CW_TABLE("auth-provider", provider_keys, struct cw_str);

static const struct cw_key_def user_keys[] = {
    {"name", CW_KEY_STRING, ROW(user, name), .flags = CW_KEY_REQUIRED},
    {"user.client-certificate", CW_KEY_STRING, ROW(user, cert_path)},
    {"user.client-certificate-data", CW_KEY_STRING, ROW(user, cert_data)},
    {"user.client-key", CW_KEY_STRING, ROW(user, key_path)},
    {"user.client-key-data", CW_KEY_STRING, ROW(user, key_data), .flags = CW_KEY_SECRET},
    {"user.token", CW_KEY_STRING, ROW(user, token), .flags = CW_KEY_SECRET},
    {"user.tokenFile", CW_KEY_STRING, ROW(user, token_path)},
    {"user.username", CW_KEY_STRING, ROW(user, username)},
    {"user.password", CW_KEY_STRING, ROW(user, password), .flags = CW_KEY_SECRET},
    {"user.exec", CW_KEY_TABLE, ROW(user, command), .table = &exec_table,
     .seen = CW_KEY_AT(struct user, has_exec)},
    {"user.auth-provider", CW_KEY_TABLE, ROW(user, provider), .table = &provider_table,
     .seen = CW_KEY_AT(struct user, has_provider)},
    NO_MATTER("user.extensions"),
};
static const struct cw_table_def user_table = CW_TABLE("user", user_keys, struct user);

static const struct cw_key_def context_keys[] = {
    {"name", CW_KEY_STRING, ROW(context, name), .flags = CW_KEY_REQUIRED},
    {"context.cluster", CW_KEY_STRING, ROW(context, cluster)},
    {"context.user", CW_KEY_STRING, ROW(context, user)},
    NO_MATTER("context.namespace"),
    NO_MATTER("context.extensions"),
};
static const struct cw_table_def context_table = CW_TABLE("context", context_keys, struct context);

static const struct cw_key_def kubeconfig_keys[] = {
    NO_MATTER("apiVersion"),
    NO_MATTER("kind"),
    NO_MATTER("preferences"),
    NO_MATTER("extensions"),
    {"current-context", CW_KEY_STRING, ROW(kubeconfig, current)},
    {"clusters", CW_KEY_TABLES, ROW(kubeconfig, clusters), .table = &cluster_table},
    {"users", CW_KEY_TABLES, ROW(kubeconfig, users), .table = &user_table},
    {"contexts", CW_KEY_TABLES, ROW(kubeconfig, contexts), .table = &context_table},
};
static const struct cw_table_def kubeconfig_table =
    CW_TABLE("kubeconfig", kubeconfig_keys, struct kubeconfig);

/* ---- what it means ---- */

/* All three kinds of items begin with their name. */
static const void *named(const struct cw_config_tables *list, size_t size, struct cw_str name)
{
    for (size_t i = 0; i < list->n; i++) {
        const void *item = (const char *)list->items + i * size;
        if (cw_str_eq(*(const struct cw_str *)item, name))
            return item;
    }
    return NULL;
}

/* A path of the file, seen from where we are. */
static struct cw_str resolve(const char *file, struct cw_str path, struct cw_arena *arena)
{
    const char *slash = strrchr(file, '/');
    if (path.len == 0 || path.ptr[0] == '/' || slash == NULL)
        return path;
    return cw_arena_printf(arena, "%.*s/%.*s", (int)(slash - file), file, CW_STR_ARG(path));
}

static int decode(struct cw_str data, const char *key, struct cw_arena *arena, struct cw_str *out,
                  struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_CONFIG_BYTES);
    bool good = cw_base64_decode(data, &text) && !cw_buf_failed(&text);
    *out = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return good ? 0 : cw_err_set(err, CW_E_INVALID, "%s is no base64", key);
}

static int tls_of(const struct cluster *cluster, const struct user *user, const char *path,
                  struct cw_arena *arena, struct cw_tls_config *out, struct cw_err *err)
{
    *out = (struct cw_tls_config){.min_version = CW_HTTP_TLS_12,
                                  .server_name = cluster->server_name,
                                  .insecure_skip_verify = cluster->insecure_skip_verify,
                                  .ca_file = resolve(path, cluster->ca_path, arena),
                                  .cert_file = resolve(path, user->cert_path, arena),
                                  .key_file = resolve(path, user->key_path, arena)};
    int rc = decode(cluster->ca_data, "certificate-authority-data", arena, &out->ca, err);
    if (rc == 0)
        rc = decode(user->cert_data, "client-certificate-data", arena, &out->cert, err);
    if (rc == 0)
        rc = decode(user->key_data, "client-key-data", arena, &out->key, err);
    bool cert = out->cert.len + out->cert_file.len > 0, key = out->key.len + out->key_file.len > 0;
    if (rc == 0 && cert != key)
        rc = cw_err_set(err, CW_E_INVALID,
                        "user \"%.*s\": a client's certificate and its key go together",
                        CW_STR_ARG(user->name));
    return rc;
}

static int current_find(const struct kubeconfig *file, const struct cluster **cluster_out,
                        const struct user **user_out, struct cw_err *err)
{
    static const struct user nobody;
    const struct context *context = named(&file->contexts, sizeof *context, file->current);
    if (context == NULL)
        return cw_err_set(err, CW_E_INVALID, "current-context: there is no context \"%.*s\"",
                          CW_STR_ARG(file->current));
    *cluster_out = named(&file->clusters, sizeof **cluster_out, context->cluster);
    *user_out =
        context->user.len > 0 ? named(&file->users, sizeof **user_out, context->user) : &nobody;
    if (*cluster_out == NULL || (*cluster_out)->server.len == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "context \"%.*s\": there is no cluster \"%.*s\" with a server",
                          CW_STR_ARG(context->name), CW_STR_ARG(context->cluster));
    if (*user_out == NULL)
        return cw_err_set(err, CW_E_INVALID, "context \"%.*s\": there is no user \"%.*s\"",
                          CW_STR_ARG(context->name), CW_STR_ARG(context->user));
    if ((*user_out)->has_exec || (*user_out)->has_provider)
        return cw_err_set(
            err, CW_E_INVALID,
            "user \"%.*s\": credentials of a program (%s) are not supported; give it a token or a "
            "client certificate",
            CW_STR_ARG((*user_out)->name), (*user_out)->has_exec ? "exec" : "auth-provider");
    return 0;
}

static int meaning(const struct kubeconfig *file, const char *path, struct cw_arena *arena,
                   struct cw_str *server_out, struct cw_http_access *out, struct cw_err *err)
{
    const struct cluster *cluster = NULL;
    const struct user *user = NULL;
    int rc = current_find(file, &cluster, &user, err);
    if (rc == 0)
        rc = tls_of(cluster, user, path, arena, &out->tls, err);
    if (rc < 0)
        return rc;
    *server_out = cluster->server;
    out->proxy.url = cluster->proxy_url;
    out->follow_redirects = true;
    if (user->token_path.len > 0) /* goes ahead of the token, as with kubectl */
        out->bearer_token_file = resolve(path, user->token_path, arena);
    else
        out->bearer_token = user->token;
    if (user->token.len + user->token_path.len == 0) {
        out->basic_auth.username = user->username;
        out->basic_auth.password = user->password;
    }
    return 0;
}

int cw_kubeconfig_read(const char *path, struct cw_arena *arena, struct cw_str *server_out,
                       struct cw_http_access *access_out, struct cw_err *err)
{
    struct kubeconfig file;
    int rc = cw_yaml_load_file(path, &kubeconfig_table, NULL, arena, &file, NULL, err);
    if (rc < 0)
        return rc;
    rc = meaning(&file, path, arena, server_out, access_out, err);
    if (rc < 0)
        cw_err_wrap(err, "%s", path);
    return rc;
}
