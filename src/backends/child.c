#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1   /* wait4 */
#endif
#include "backends/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { GRACE_MS = 2000 };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Only what may be called between fork and exec in a process with threads. report: gets errno when exec fails. */
static void become(const char *const *argv, int in, int out, int report, pid_t parent)
{
    struct sigaction a;
    sigset_t         none;
    memset(&a, 0, sizeof a);
    a.sa_handler = SIG_DFL;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGPIPE, &a, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() == parent && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
        execvp(argv[0], (char *const *)(uintptr_t)argv);
    const int     e = errno;
    const ssize_t n = write(report, &e, sizeof e);
    _exit(n == (ssize_t)sizeof e ? 127 : 126);
}

/* Waits for the child's end; rising pauses, at most 20 ms. */
static void wait_for(dsp_child_end *end, pid_t pid, uint64_t t0, uint64_t timeout_ms)
{
    struct rusage   use;
    struct timespec pause = {0, 500000};
    int             status = 0;
    uint64_t        told = 0;
    memset(&use, 0, sizeof use);
    for (;;) {
        const pid_t r = wait4(pid, &status, WNOHANG, &use);
        if (r == pid || (r < 0 && errno != EINTR))
            break;
        const uint64_t t = now_ns();
        if (!told && timeout_ms && t - t0 > timeout_ms * 1000000u) {
            end->timed_out = true;
            told = t;
            kill(pid, SIGTERM);
        } else if (told && t - told > (uint64_t)GRACE_MS * 1000000u) {
            kill(pid, SIGKILL);
        }
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 20000000)
            pause.tv_nsec *= 2;
    }
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->peak_bytes = (uint64_t)use.ru_maxrss * 1024u;
}

dsp_status dsp_child_run(dsp_child_end *end, const char *const *argv, const char *log, uint64_t timeout_ms, dsp_err *err)
{
    int        pipe_fd[2] = {-1, -1}, failure = 0;
    const int  in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    dsp_status s = DSP_OK;
    memset(end, 0, sizeof *end);
    end->code = -1;
    if (in < 0 || out < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot be written: %s", log, strerror(errno));
        goto done;
    }
    if (pipe(pipe_fd) != 0 || fcntl(pipe_fd[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(pipe_fd[1], F_SETFD, FD_CLOEXEC) < 0) {
        s = dsp_fail(err, DSP_E_IO, "no pipe to a child: %s", strerror(errno));
        goto done;
    }
    const uint64_t t0 = now_ns();
    const pid_t    parent = getpid(), pid = fork();
    if (pid < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: no process could be started: %s", argv[0], strerror(errno));
        goto done;
    }
    if (pid == 0)
        become(argv, in, out, pipe_fd[1], parent);
    close(pipe_fd[1]);
    pipe_fd[1] = -1;
    wait_for(end, pid, t0, timeout_ms);
    end->ns = now_ns() - t0;
    if (read(pipe_fd[0], &failure, sizeof failure) == (ssize_t)sizeof failure)
        s = dsp_fail(err, DSP_E_UNAVAILABLE, "%s: cannot be run: %s", argv[0], strerror(failure));
done:
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    for (int i = 0; i < 2; i++)
        if (pipe_fd[i] >= 0)
            close(pipe_fd[i]);
    return s;
}
