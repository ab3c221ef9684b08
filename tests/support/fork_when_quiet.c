/*
 * fork_when_quiet.c - linked into every unit test: a fork waits until no other thread runs.
 *
 * Criterion's runner has a thread for its messages, and its forks allocate memory before they exec. The sanitizers of GCC before 14
 * do not hold their allocator's locks over a fork: where that thread has one, the child waits for it for ever. On a busy machine
 * three of a hundred programs did. A thread that sleeps holds none.
 */
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS_MAX = 20000, BETWEEN_US = 50 }; /* a second: what runs so long is no message */

/* 'S' where the thread sleeps; 0 where it is gone. */
static char thread_state(const char *tid)
{
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", tid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    size_t n = fread(stat, 1, sizeof stat - 1, f);
    fclose(f);
    stat[n] = 0;
    const char *name_end = strrchr(stat, ')');
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : 0;
}

static bool others_sleep(void)
{
    bool sleep = true;
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL)
        return true;
    for (struct dirent *entry; sleep && (entry = readdir(dir)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == gettid())
            continue;
        char state = thread_state(entry->d_name);
        sleep = state == 'S' || state == 0;
    }
    closedir(dir);
    return sleep;
}

static void wait_for_quiet(void)
{
    for (int i = 0; i < LOOKS_MAX && !others_sleep(); i++)
        usleep(BETWEEN_US);
}

__attribute__((constructor)) static void install(void)
{
    pthread_atfork(wait_for_quiet, NULL, NULL);
}
