#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "unit/test.h"

static char dir[256];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s", DSP_BINARY_DIR "/test_file.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static size_t entries(const char *path)
{
    DIR   *d = opendir(path);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            char *p = dsp_path_join(path, e->d_name);
            if (p && unlink(p) != 0)
                remove_tree(p);
            dsp_free(p);
        }
    if (d)
        closedir(d);
    rmdir(path);
}

static int teardown(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

static void write_and_read(void **state)
{
    (void)state;
    dsp_err  err;
    uint8_t *data;
    size_t   len;
    char    *p = dsp_path_join(dir, "a.bin");
    assert_non_null(p);
    for (int fast = 0; fast < 2; fast++)
        for (size_t n = 0; n < 100000; n = 3 * n + 1) {
            uint8_t *w = malloc(n + 1);
            assert_non_null(w);
            for (size_t i = 0; i < n; i++)
                w[i] = (uint8_t)(i * 7);
            assert_int_equal(fast ? dsp_file_write_fast(p, w, n, 0600, &err) : dsp_file_write(p, w, n, 0640, &err), DSP_OK);
            struct stat st;
            assert_int_equal(stat(p, &st), 0);
            assert_int_equal(st.st_mode & 0777, fast ? 0600 : 0640);
            assert_int_equal(dsp_file_read(&data, &len, p, n, &err), DSP_OK);
            assert_int_equal(len, n);
            assert_memory_equal(data, w, n);
            assert_int_equal(data[n], 0);
            dsp_free(data);
            if (n) {
                assert_int_equal(dsp_file_read(&data, &len, p, n - 1, &err), DSP_E_LIMIT);
                assert_null(data);
            }
            free(w);
        }
    assert_int_equal(entries(dir), 1); /* no temporary file is left */
    assert_true(dsp_file_exists(p));
    assert_false(dsp_dir_exists(p));
    dsp_free(p);
}

static void failures(void **state)
{
    (void)state;
    dsp_err  err;
    uint8_t *data;
    size_t   len;
    char    *p = dsp_path_join(dir, "missing"), *q = dsp_path_join(dir, "no/such/folder");
    assert_int_equal(dsp_file_read(&data, &len, p, 100, &err), DSP_E_MISSING);
    assert_non_null(strstr(err.msg, "missing"));
    assert_int_equal(dsp_file_read(&data, &len, q, 100, &err), DSP_E_MISSING);
    assert_int_equal(dsp_file_read(&data, &len, dir, 100, &err), DSP_E_IO);
    assert_int_equal(dsp_file_write(q, "x", 1, 0644, &err), DSP_E_IO);
    /* a write that fails leaves what was there */
    const size_t before = entries(dir);
    char        *sub = dsp_path_join(dir, "sub");
    assert_int_equal(dsp_mkdirs(sub, &err), DSP_OK);
    assert_int_equal(dsp_file_write(sub, "x", 1, 0644, &err), DSP_E_IO); /* a folder stands in the way */
    assert_true(dsp_dir_exists(sub));
    assert_int_equal(entries(dir), before + 1);
    dsp_free(p);
    dsp_free(q);
    dsp_free(sub);
}

static void folders(void **state)
{
    (void)state;
    dsp_err err;
    char   *p = dsp_path_join(dir, "x/y/z"), *f = dsp_path_join(dir, "x/file"), *g = dsp_path_join(dir, "x/file/w");
    assert_int_equal(dsp_mkdirs(p, &err), DSP_OK);
    assert_true(dsp_dir_exists(p));
    assert_int_equal(dsp_mkdirs(p, &err), DSP_OK);
    assert_int_equal(dsp_file_write(f, "", 0, 0644, &err), DSP_OK);
    assert_int_not_equal(dsp_mkdirs(g, &err), DSP_OK);
    assert_int_not_equal(dsp_mkdirs(f, &err), DSP_OK);
    dsp_free(p);
    dsp_free(f);
    dsp_free(g);
}

static void joined(const char *a, const char *b, const char *want)
{
    char *p = dsp_path_join(a, b);
    assert_string_equal(p, want);
    dsp_free(p);
}

static void paths(void **state)
{
    (void)state;
    joined("a", "b", "a/b");
    joined("a/", "b", "a/b");
    joined("", "b", "b");
    joined("a", "/b", "/b");
    joined("/", "b", "/b");
    static const char *const split[][3] = {{"a", ".", "a"}, {"a/b", "a", "b"}, {"/a", "/", "a"}, {"x/y/z", "x/y", "z"}};
    for (size_t i = 0; i < 4; i++) {
        char *d = dsp_path_dir(split[i][0]);
        assert_string_equal(d, split[i][1]);
        assert_string_equal(dsp_path_base(split[i][0]), split[i][2]);
        dsp_free(d);
    }
    static const char *const safe[] = {"a", "a/b", ".a", "..a", "a..", "a.b/c-d", "...", "a/.b/..c"};
    static const char *const unsafe[] = {"",     "/",    "/a",   ".",    "..",   "a/..", "../a", "a/../b", "./a", "a/.",
                                         "a//b", "a/",   "//",   "a\\b", "\\",   "a/./b", "..\\a"};
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++)
        if (!dsp_path_is_safe(safe[i]))
            fail_msg("'%s' refused", safe[i]);
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
        if (dsp_path_is_safe(unsafe[i]))
            fail_msg("'%s' let through", unsafe[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(write_and_read), cmocka_unit_test(failures), cmocka_unit_test(folders),
                                       cmocka_unit_test(paths)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
