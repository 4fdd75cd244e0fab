/* Children: status, output, time limit, what cannot be started. */
#include "unit/test.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/child.h"
#include "base/file.h"
#include "base/mem.h"

static char log_file[64];

static dsp_child_end sh(const char *script, uint64_t ms)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    dsp_child_end     end;
    assert_int_equal(dsp_child_run(&end, argv, log_file, ms, NULL), DSP_OK);
    return end;
}

static void status_and_output(void **state)
{
    uint8_t *p;
    size_t   n;
    (void)state;
    const dsp_child_end e = sh("echo out; echo err >&2; read x && echo got; exit 7", 0);
    assert_int_equal(e.code, 7);
    assert_int_equal(e.signal, 0);
    assert_false(e.timed_out);
    assert_int_equal(dsp_file_read(&p, &n, log_file, 4096, NULL), DSP_OK);
    assert_string_equal((const char *)p, "out\nerr\n");   /* nothing on stdin */
    dsp_free(p);
    assert_int_equal(sh("exit 0", 0).code, 0);
}

static void ended_by_signal(void **state)
{
    (void)state;
    const dsp_child_end e = sh("kill -KILL $$", 0);
    assert_int_equal(e.code, -1);
    assert_int_equal(e.signal, SIGKILL);
    assert_false(e.timed_out);
}

static void ended_at_the_limit(void **state)
{
    (void)state;
    dsp_child_end e = sh("exec sleep 600", 50);
    assert_true(e.timed_out);
    assert_int_equal(e.signal, SIGTERM);
    /* one that does not listen */
    e = sh("trap '' TERM; while :; do sleep 0.05; done", 300);
    assert_true(e.timed_out);
    assert_int_equal(e.signal, SIGKILL);
}

static void cannot_start(void **state)
{
    const char *const argv[] = {"/nowhere/program", NULL};
    dsp_child_end     end;
    dsp_err           err = {DSP_OK, ""};
    (void)state;
    assert_int_equal(dsp_child_run(&end, argv, log_file, 0, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "/nowhere/program"));
    assert_int_equal(dsp_child_run(&end, argv, "/nowhere/log", 0, NULL), DSP_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(status_and_output), cmocka_unit_test(ended_by_signal), cmocka_unit_test(ended_at_the_limit),
                                       cmocka_unit_test(cannot_start)};
    snprintf(log_file, sizeof log_file, "/tmp/dsp-child-%ld.log", (long)getpid());
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_file);
    return r;
}
