#include "shipper/docker_place.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/base/assert.h"
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
    place->skip_until_ns = INT64_MAX;
}

void cw_docker_place_widen(struct cw_docker_place *place, int64_t from_ns, int64_t newest_ns)
{
    int64_t from_s = from_ns / CW_NS_PER_S - 1;
    if (place->since_s == 0 || from_s < 1)
        return; /* nothing was taken, or the time is none */
    if (from_s < place->since_s) {
        place->since_s = from_s;
        place->second_s = from_s + CW_DOCKER_DISORDER_S;
    }
    place->skip = UINT64_MAX;
    place->skip_until_ns = newest_ns + CW_DOCKER_DISORDER_S * CW_NS_PER_S;
}

static uint64_t hash_of(const struct cw_docker_line *message)
{
    /* The pieces of a line have one time, and may be alike. */
    return cw_hash64(message->text.ptr, message->text.len) ^ (uint64_t)message->ts_ns ^
           message->stream ^ (uint64_t)message->partial << 63;
}

static unsigned stream_of(const struct cw_docker_line *message)
{
    return message->stream % 2;
}

bool cw_docker_place_steps_back(const struct cw_docker_place *place,
                                const struct cw_docker_line *message)
{
    int64_t newest_ns = place->newest_ns[stream_of(message)];
    if (!place->taken || message->ts_ns > newest_ns)
        return false;
    return message->ts_ns < newest_ns || (!message->partial && hash_of(message) == place->last);
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
    place->last = hash_of(message);
    if (message->ts_ns > place->skip_until_ns)
        place->skip = 0;
    if (place->skip > 0) {
        place->skip = place->last == place->skip_last ? 0 : place->skip - 1;
        place->newest_ns[stream_of(message)] =
            CW_MAX(place->newest_ns[stream_of(message)], message->ts_ns);
        return false;
    }
    /* The first may step back in earnest, and then both streams do. */
    for (unsigned i = 0; i < 2; i++)
        if (!place->taken)
            place->newest_ns[i] = CW_MIN(place->newest_ns[i], message->ts_ns);
    place->newest_ns[stream_of(message)] = message->ts_ns;
    place->taken = true;
    return true;
}

void cw_docker_place_format(const struct cw_docker_place *place, char text[CW_DOCKER_CURSOR_BYTES])
{
    uint64_t n = 0;
    for (int i = 0; i < NSECONDS; i++)
        n += place->per_second[i];
    snprintf(text, CW_DOCKER_CURSOR_BYTES, "%" PRId64 " %" PRIu64 " %" PRIu64,
             place->second_s - CW_DOCKER_DISORDER_S, n, place->last);
}
