/* Child processes: servers and workers. Each is bound to the run, and ended by its own id. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether there is such a program in $PATH, or at this path. */
bool process_is_installed(const char *program);

/* Starts a server, with its output in a file, which the name tells from others. */
pid_t process_start(const char *const arguments[], const char *name);

/* Starts a server, with its output in a file, and waits until it takes connections. */
pid_t process_serve(const char *const arguments[], const char *socket);

/* As fork; the child ends with its parent at the latest. */
pid_t process_fork(void);

/* Waits for a child that is about to end. Whatever is wrong with it ends the run. */
void process_join(pid_t pid);

/* Asks a child to end, and waits for that. */
void process_stop(pid_t pid);

/* Runs a program to its end, with its output in that file. */
void process_run(const char *const arguments[], const char *output);

/* Asks all children to end, and kills those that do not in time. */
void process_stop_all(void);

/* Kills them all. */
void process_kill_all(void);

#endif
