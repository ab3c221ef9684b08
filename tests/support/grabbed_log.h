/*
 * grabbed_log.h - what the process says to stderr for a while: the program's log.
 */
#ifndef CW_TESTS_GRABBED_LOG_H
#define CW_TESTS_GRABBED_LOG_H

/* From now on stderr goes into a file. */
void grabbed_log_begin(void);
/* No more. What was said since, up to 64 KiB of it, until the next _end(); *nlines_out: how many lines. */
const char *grabbed_log_end(unsigned *nlines_out);

#endif
