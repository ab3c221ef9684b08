#include "shipper/machine_check.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/net/tls_session.h"
#include "shipper/kept_metrics.h"
#include "shipper/receiver.h"
#include "shipper/receivers.h"
#include "shipper/scrape.h"
#include "shipper/shared_files.h"
#include "shipper/systemd_journal.h"

struct check {
    const char *file;
    const struct cw_shipper_config *config;
    struct cw_buf errors;
    size_t nerrors;
};

/* `scrape` is NULL for what is of no job. */
static void failed(struct check *check, const struct cw_scrape_config *scrape,
                   const struct cw_err *err)
{
    cw_buf_addf(&check->errors, "%s:", check->file);
    if (scrape != NULL && scrape->line > 0)
        cw_buf_addf(&check->errors, "%zu:", scrape->line);
    cw_buf_addf(&check->errors, " %s\n", err->text);
    check->nerrors++;
}

static void receiver_failed(struct check *check, const struct cw_scrape_config *scrape,
                            const char *kind, struct cw_err *err)
{
    cw_err_wrap(err, "%s of job \"%.*s\"", kind, CW_STR_ARG(scrape->job_name));
    failed(check, scrape, err);
}

/* Stages of several jobs that count in one metric say the same of it. */
static void metrics_check(struct check *check)
{
    const struct cw_scrape_config *scrapes = check->config->scrape_configs.items;
    struct cw_kept_metrics metrics;
    struct cw_pipelines pipelines;
    struct cw_err err = {0};
    cw_kept_metrics_init(&metrics, NULL);
    if (cw_pipelines_init(&pipelines, &check->config->pipelines, &metrics.host, &err) < 0)
        failed(check, NULL, &err);
    for (size_t i = 0; check->nerrors == 0 && i < check->config->scrape_configs.n; i++) {
        struct cw_scrape scrape;
        if (cw_scrape_init(&scrape, &scrapes[i], &pipelines, &metrics.host, &err) < 0)
            failed(check, &scrapes[i], &err);
        cw_scrape_fini(&scrape);
    }
    cw_pipelines_fini(&pipelines);
    cw_kept_metrics_fini(&metrics);
}

static void journal_check(struct check *check, const struct cw_scrape_config *scrape)
{
    struct cw_systemd_journal journal;
    struct cw_err err = {0};
    if (scrape->journal.seen && cw_systemd_journal_load(&journal, &err) < 0)
        receiver_failed(check, scrape, "journal", &err);
}

static void receivers_check(struct check *check, const struct cw_scrape_config *scrape)
{
    const struct {
        bool seen;
        const char *kind;
        const struct cw_receiver_tls_config *tls;
    } receivers[] = {{scrape->syslog.seen, "syslog", &scrape->syslog.tls},
                     {scrape->gelf.seen, "gelf", &scrape->gelf.tls},
                     {scrape->forward.seen, "forward", &scrape->forward.tls},
                     {scrape->lines.seen, "lines", &scrape->lines.tls}};
    struct cw_tls_server *tls;
    struct cw_err err = {0};
    for (size_t i = 0; i < CW_COUNT(receivers); i++) {
        if (!receivers[i].seen)
            continue;
        if (cw_receiver_tls_open(receivers[i].tls, &tls, &err) < 0)
            receiver_failed(check, scrape, receivers[i].kind, &err);
        cw_tls_server_free(&tls);
    }
    if (scrape->loki_push_api.seen) {
        if (cw_server_tls_open(&scrape->loki_push_api.server, &tls, &err) < 0)
            receiver_failed(check, scrape, "loki_push_api", &err);
        cw_tls_server_free(&tls);
    }
}

static void own_server_check(struct check *check)
{
    struct cw_tls_server *tls = NULL;
    struct cw_err err = {0};
    if (cw_server_wanted(&check->config->server) &&
        cw_server_tls_open(&check->config->server, &tls, &err) < 0) {
        cw_err_wrap(&err, "server");
        failed(check, NULL, &err);
    }
    cw_tls_server_free(&tls);
}

/* They are read when they are needed, and may come until then. */
static void client_files_tell(const char *file, const struct cw_client_config *client)
{
    const struct cw_str paths[] = {client->basic_auth.username_file,
                                   client->basic_auth.password_file,
                                   client->bearer_token_file,
                                   client->authorization.credentials_file,
                                   client->oauth2.client_secret_file,
                                   client->oauth2.tls.ca_file,
                                   client->oauth2.tls.cert_file,
                                   client->oauth2.tls.key_file,
                                   client->tls.ca_file,
                                   client->tls.cert_file,
                                   client->tls.key_file};
    for (size_t i = 0; i < CW_COUNT(paths); i++)
        if (paths[i].len > 0 && access(paths[i].ptr, R_OK) < 0)
            fprintf(stderr, "%s: client %.*s cannot deliver before it has %s: %s\n", file,
                    CW_STR_ARG(client->name), paths[i].ptr, strerror(errno));
}

int cw_machine_check(const struct cw_shipper_args *args, const struct cw_shipper_config *config,
                     struct cw_err *err)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    const struct cw_client_config *clients = config->clients.items;
    struct check check = {args->config.len > 0 ? args->config.ptr : "cordwood-shipper", config};
    struct cw_buf shared;
    cw_buf_init(&check.errors, SIZE_MAX);
    cw_buf_init(&shared, SIZE_MAX);
    for (size_t i = 0; i < config->clients.n; i++)
        client_files_tell(check.file, &clients[i]);
    metrics_check(&check);
    own_server_check(&check);
    check.nerrors += cw_receivers_namesakes_tell(config, check.file, &check.errors);
    for (size_t i = 0; i < config->scrape_configs.n; i++) {
        journal_check(&check, &scrapes[i]);
        receivers_check(&check, &scrapes[i]);
    }
    int rc = 0;
    if (args->config.len > 0) /* paths that were given alone are of one job */
        rc = cw_shared_files_tell(config, check.file, &shared, err);
    if (shared.len > 0)
        fwrite(shared.ptr, 1, shared.len, stderr);
    if (rc == 0)
        rc = cw_shipper_config_problems(check.file, &check.errors, check.nerrors, err);
    cw_buf_fini(&shared);
    cw_buf_fini(&check.errors);
    return rc;
}
