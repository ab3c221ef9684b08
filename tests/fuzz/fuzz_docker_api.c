/* fuzz_docker_api.c - any bytes as a Docker Engine's answers. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/docker_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_docker_sd_config config = {.port = 80, .match_first_network = size % 2 == 0};
    struct cw_docker_networks networks = {0};
    struct cw_docker_container *containers;
    struct cw_str bytes = cw_str_make(data, size);
    struct cw_docker_log log;
    struct cw_err err;
    size_t n;
    if (cw_docker_networks_decode(bytes, arena, &networks, &err) < 0)
        networks = (struct cw_docker_networks){0};
    if (cw_docker_list_decode(bytes, &config, &networks, arena, &containers, &n, &err) == 0)
        for (size_t i = 0; i < n; i++)
            CW_ASSERT(containers[i].id.len > 0 && containers[i].plain.n <= 6);
    if (cw_docker_inspect_decode(bytes, arena, &log, &err) == 0 && log.path.len > 0)
        CW_ASSERT(log.path.ptr[0] == '/');
    cw_arena_free(&arena);
    return 0;
}
