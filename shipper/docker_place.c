#include "shipper/docker_place.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/base/clock.h"
#include "common/base/hash.h"

enum { NSECONDS = CW_DOCKER_DISORDER_S + 1 };

void cw_docker_place_begin(struct cw_docker_place *place, struct cw_str cursor)
{
    int64_t since;
    uint64_t n, last;
    *place = (struct cw_docker_place){.since_s = 0};
    if (cw_str_take_i64(&cursor, &since) && cw_str_take_u64(&cursor, &n) &&
        cw_str_take_u64(&cursor, &last) && since > 0) {
        place->since_s = since;
        place->skip = n;
        place->skip_last = last;
    }
    place->second_s = place->since_s + CW_DOCKER_DISORDER_S;
}

static void count(struct cw_docker_place *place, int64_t second_s)
{
    if (second_s - place->second_s > NSECONDS) /* all others are older */
        place->second_s = second_s - NSECONDS;
    while (place->second_s < second_s)
        place->per_second[++place->second_s % NSECONDS] = 0;
    if (second_s > 0 && second_s >= place->second_s - CW_DOCKER_DISORDER_S)
        place->per_second[second_s % NSECONDS]++;
}

bool cw_docker_place_take(struct cw_docker_place *place, const struct cw_docker_line *message)
{
    count(place, message->ts_ns / CW_NS_PER_S);
    place->last = cw_hash64(message->text.ptr, message->text.len) ^ (uint64_t)message->ts_ns ^
                  message->stream;
    if (place->skip == 0)
        return true;
    place->skip = place->last == place->skip_last ? 0 : place->skip - 1;
    return false;
}

void cw_docker_place_format(const struct cw_docker_place *place, char text[CW_DOCKER_CURSOR_BYTES])
{
    uint64_t n = 0;
    for (int i = 0; i < NSECONDS; i++)
        n += place->per_second[i];
    snprintf(text, CW_DOCKER_CURSOR_BYTES, "%" PRId64 " %" PRIu64 " %" PRIu64,
             place->second_s - CW_DOCKER_DISORDER_S, n, place->last);
}
