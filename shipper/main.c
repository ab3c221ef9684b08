/* main.c - cordwood-shipper: flags and configuration; the rest is shipper.c. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "shipper/machine_check.h"
#include "shipper/shipper.h"
#include "shipper/subcommands.h"

enum { EXIT_FAILED = 1 };

/* "--docker" alone means the usual socket: the table of flags has no optional arguments. */
static char **arguments_complete(int argc, char **argv)
{
    static char docker[] = "--docker=/var/run/docker.sock";
    char **out = cw_mem_array((size_t)argc + 1, sizeof *out);
    for (int i = 0; i < argc; i++)
        out[i] =
            strcmp(argv[i], "--docker") == 0 || strcmp(argv[i], "-docker") == 0 ? docker : argv[i];
    return out;
}

/* Every file that is followed is open. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Large blocks (positions of many files, batches) go back to the system when they are freed. */
static void memory_return(void)
{
    enum { LARGE_BYTES = 128 << 10 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

static int run(const struct cw_shipper_args *args, const struct cw_shipper_config *config)
{
    struct cw_shipper *shipper;
    struct cw_err err = {0};
    cw_log_init((enum cw_log_level)config->server.log_level,
                (enum cw_log_format)config->server.log_format);
    memory_return();
    descriptors_raise();
    signal(SIGPIPE, SIG_IGN);
    if (cw_shipper_new(config, args, &shipper, &err) < 0) {
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
        return EXIT_FAILED;
    }
    int status = cw_shipper_run(shipper);
    cw_shipper_free(&shipper);
    return status;
}

/* Of flags of the short form: where a file has what they say. */
static int flags_check(const struct cw_shipper_args *args, const struct cw_flags_rest *rest,
                       struct cw_err *err)
{
    const struct {
        bool given;
        const char *flag, *instead;
    } flags[] = {
        {args->push.len > 0, "--push", "a url in clients"},
        {args->docker.len > 0, "--docker", "docker_sd_configs"},
        {args->tenant.len > 0, "--tenant", "tenant_id in clients"},
        {args->labels.n > 0, "--label",
         "labels in static_configs, or external_labels in clients (promtail's flag "
         "-client.external-labels says them too)"},
        {args->state_dir.len > 0, "--state-dir", "positions.filename"},
        {rest->nargs > 0, "PATH", "__path__ in static_configs"},
    };
    if (args->promtail.read_stdin && (rest->nargs > 0 || args->docker.len > 0))
        return cw_err_set(err, CW_E_INVALID,
                          "-stdin reads nothing else; with a PATH write - for standard input");
    for (size_t i = 0; i < CW_COUNT(flags) && args->config.len > 0; i++)
        if (flags[i].given)
            return cw_err_set(err, CW_E_INVALID, "--config goes with no %s: in the file it is %s",
                              flags[i].flag, flags[i].instead);
    return 0;
}

static int usage_error(const struct cw_err *err)
{
    fprintf(stderr, "cordwood-shipper: %s\n", err->text);
    return CW_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    for (const struct cw_shipper_subcommand *sub = cw_shipper_subcommands;
         sub->word != NULL && argc > 1; sub++)
        if (strcmp(argv[1], sub->word) == 0)
            return sub->run(argc - 2, argv + 2);
    cw_shipper_signals_hold();
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_args args = {0};
    struct cw_shipper_config config = {0};
    struct cw_flags_rest rest = {0};
    struct cw_err err = {0};
    char **arguments = arguments_complete(argc - 1, argv + 1);
    int status = CW_EXIT_USAGE;
    if (cw_flags_parse(&cw_shipper_command, argc - 1, arguments, arena, &args, &rest, &err) < 0)
        status = usage_error(&err);
    else if (rest.action != CW_FLAGS_RUN)
        status = cw_flags_answer(&cw_shipper_command, &rest);
    else if (flags_check(&args, &rest, &err) < 0)
        status = usage_error(&err);
    else if ((args.config.len > 0 ? cw_shipper_config_load(&args, arena, &config, &err)
                                  : cw_shipper_config_from_args(&args, rest.args, rest.nargs, arena,
                                                                &config, &err)) < 0)
        status = usage_error(&err);
    else if (args.check)
        status = cw_machine_check(&args, &config, &err) < 0 ? usage_error(&err) : 0;
    else
        status = run(&args, &config);
    if (status ==
        CW_SHIPPER_RELOAD) { /* all that matters is on disk, or left open (sources_held.c) */
        execv("/proc/self/exe", argv);
        perror("cordwood-shipper: starting again");
        status = EXIT_FAILED;
    }
    free(arguments);
    cw_arena_free(&arena);
    return status;
}
