/*
 * log.h - the program's own log, one line an event, to stderr as logfmt or JSON.
 *
 * Threads    Any; a line is written with one write().
 */
#ifndef CW_BASE_LOG_H
#define CW_BASE_LOG_H
#include "common/base/err.h"
#include "common/base/str.h"

enum cw_log_level { CW_LOG_DEBUG, CW_LOG_INFO, CW_LOG_WARN, CW_LOG_ERROR };
enum cw_log_format { CW_LOG_LOGFMT, CW_LOG_JSON };

/* Before the first thread. The default is info and logfmt. */
void cw_log_init(enum cw_log_level level, enum cw_log_format format);
/* "debug", "info", "warn", "error": 1; any other name: 0. */
int cw_log_level_parse(struct cw_str name, enum cw_log_level *out);
void cw_log_write(enum cw_log_level level, const char *fmt, ...) CW_PRINTF(2, 3);
extern enum cw_log_level cw_log_threshold;

#define CW_LOG(level, ...)                                                                         \
    ((level) < cw_log_threshold ? (void)0 : cw_log_write((level), __VA_ARGS__))
#define cw_log_debug(...) CW_LOG(CW_LOG_DEBUG, __VA_ARGS__)
#define cw_log_info(...) CW_LOG(CW_LOG_INFO, __VA_ARGS__)
#define cw_log_warn(...) CW_LOG(CW_LOG_WARN, __VA_ARGS__)
#define cw_log_error(...) CW_LOG(CW_LOG_ERROR, __VA_ARGS__)

#endif
