/*
 * answer_stats.h - `data.stats` of an answer: Loki's whole skeleton, since clients read it without asking whether a key is
 * there; real figures where cordwood has them, 0 elsewhere.
 */
#ifndef CW_API_ANSWER_STATS_H
#define CW_API_ANSWER_STATS_H
#include "common/wire/json_writer.h"
#include "querier/api/answer.h"

void cw_answer_stats_write(struct cw_json_writer *w, const struct cw_answer_stats *stats);

#endif
