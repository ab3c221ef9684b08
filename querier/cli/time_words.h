/*
 * time_words.h - times as people say them.
 *
 *     now   now-15m   now+1h   2h ago   2 hours ago   3 days ago
 *     10:30   10:30:15                                          today
 *     today   yesterday   tomorrow   2026-11-28   monday        at its beginning, or with a time of day: "yesterday 10:30"
 *
 * A day of the week is the last one that has begun: today counts. Units and words are taken in any case; a day "ago" is 24 hours.
 * Dates and times of day are of the zone; where its clocks are changed, zone_time.h says what is meant.
 */
#ifndef CW_CLI_TIME_WORDS_H
#define CW_CLI_TIME_WORDS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"
#include "querier/local/zone_time.h"

bool cw_time_words_parse(struct cw_str text, int64_t now_ns, enum cw_zone zone, int64_t *ns_out);

#endif
