/* What is installed, which version, and what is missing with the command that installs it. Nothing is downloaded or changed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "backends/backend.h"
#include "cli/cli.h"
#include "field/kernels.h"
#include "hash/compress.h"
#include "onnx/wire.h"
#include "pipeline/json.h"
#include "poly/rows.h"

typedef enum { HAVE, ABSENT, LACKING } presence;     /* there; optional and not there; needed and not there */

static void put_text(json_t *o, const char *key, const char *text)
{
    if (text && *text)
        dsp_json_put(o, key, json_string(text));
}

static void item(json_t *list, const char *name, presence p, const char *version, const char *path, const char *use, const char *install)
{
    json_t *o = json_object();
    put_text(o, "name", name);
    put_text(o, "status", p == HAVE ? "ok" : p == ABSENT ? "not available" : "missing");
    put_text(o, "version", version);
    put_text(o, "path", path);
    put_text(o, "used_for", use);
    if (p != HAVE)
        put_text(o, "install", install);
    dsp_json_put(o, "needed", json_boolean(p == LACKING));
    json_array_append_new(list, o);
}

/* The file that was loaded, as the system says; empty where it does not. */
static void loaded_file(char *out, size_t cap, const char *part)
{
    char  line[4352];
    FILE *f = fopen("/proc/self/maps", "r");
    out[0] = 0;
    while (f && !*out && fgets(line, sizeof line, f)) {
        char *path = strchr(line, '/'), *name = path ? strrchr(path, '/') : NULL;
        if (name && strstr(name, part)) {
            path[strcspn(path, "\n")] = 0;
            snprintf(out, cap, "%s", path);
        }
    }
    if (f)
        fclose(f);
}

static const char *setup_command(cli *c, char *out, size_t cap)
{
    const char *exe = cli_exe_dir(c);
    char       *p = exe ? dsp_path_join(exe, "../tools/setup.sh") : NULL;
    const char *full = p && dsp_file_exists(p) ? cli_path(c->o.arena, p) : NULL;
    snprintf(out, cap, "%s", full ? full : "tools/setup.sh in the sources, or DSPERSE_ORT=/path/to/libonnxruntime.so");
    dsp_free(p);
    return out;
}

static bool runtime(cli *c, json_t *list)
{
    char     path[4352], install[4352];
    dsp_ort *o = NULL;
    dsp_err  err = {DSP_OK, ""};
    const bool ok = dsp_pipe_ort(&o, &c->pipe, &err) == DSP_OK;
    loaded_file(path, sizeof path, "libonnxruntime");
    item(list, "ONNX Runtime", ok ? HAVE : LACKING, ok ? dsp_ort_version(o) : NULL, path, "slice, compile, run --compare, unproved segments",
         setup_command(c, install, sizeof install));
    if (!ok)
        put_text(json_array_get(list, json_array_size(list) - 1), "error", err.msg);
    return ok;
}

/* The first line that a program prints when asked for its version. The path is passed by the environment, not pasted into the command. */
static void version_of(char *out, size_t cap, const char *path)
{
    FILE *f = NULL;
    out[0] = 0;
    if (setenv("DSPERSE_DOCTOR_PROGRAM", path, 1) == 0)
        f = popen("\"$DSPERSE_DOCTOR_PROGRAM\" --version 2>&1 </dev/null", "r");
    if (!f)
        return;
    if (!fgets(out, (int)cap, f))
        out[0] = 0;
    out[strcspn(out, "\r\n")] = 0;
    for (char rest[256]; fgets(rest, sizeof rest, f);)
        continue;
    pclose(f);
    unsetenv("DSPERSE_DOCTOR_PROGRAM");
}

/* kzg<k>.srs of the right size: " 15 17", and the sizes that are wrong. */
static bool srs_sizes(char *out, size_t cap, const char *dir, const char *prefix)
{
    size_t at = 0;
    out[0] = 0;
    for (unsigned k = DSP_EZKL_MIN_LOGROWS; dir && k <= DSP_EZKL_MAX_LOGROWS && at + 8 < cap; k++) {
        char        name[48];
        struct stat st;
        snprintf(name, sizeof name, "%skzg%u.srs", prefix, k);
        char *p = dsp_path_join(dir, name);
        if (p && stat(p, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == dsp_ezkl_srs_bytes(k))
            at += (size_t)snprintf(out + at, cap - at, "%s%u", at ? " " : "2^ ", k);
        dsp_free(p);
    }
    return at > 0;
}

static void srs(cli *c, json_t *list, unsigned major)
{
    char               sizes[160], fetch[96];
    const char *const *dir = c->pipe.srs_dirs;
    snprintf(fetch, sizeof fetch, "ezkl get-srs --logrows K%s, with ezkl's command and a network", major == 22 ? " --commitment kzg" : "");
    while (*dir && !srs_sizes(sizes, sizeof sizes, *dir, ""))
        dir++;
    item(list, "ezkl SRS", *dir ? HAVE : ABSENT, *dir ? sizes : NULL, *dir ? *dir : c->pipe.srs_dirs[0], "backend ezkl: setup, prove and verify", fetch);
    const bool own = srs_sizes(sizes, sizeof sizes, c->pipe.srs_own, "insecure-");
    item(list, "insecure SRS", own ? HAVE : ABSENT, own ? sizes : NULL, c->pipe.srs_own,
         "trying ezkl out: whoever made it can forge proofs, and verify refuses it without --generate-test-srs", "made by --generate-test-srs");
}

static void ezkl(cli *c, json_t *list)
{
    const dsp_ezkl *e = NULL;
    dsp_err         err = {DSP_OK, ""};
    bool            package = false;
    const char     *path;
    unsigned        major = 0;
    if (dsp_pipe_ezkl(&e, &c->pipe, &err) == DSP_OK) {
        path = dsp_ezkl_program(e, &package);
        major = (unsigned)strtoul(dsp_ezkl_version(e), NULL, 10);
        item(list, "backend ezkl", HAVE, dsp_ezkl_version(e), path, "an optional proof system", NULL);
        put_text(json_array_get(list, json_array_size(list) - 1), "form", package ? "Python package" : "command");
    } else {
        item(list, "backend ezkl", ABSENT, NULL, NULL, "an optional proof system", c->places.install);
        put_text(json_array_get(list, json_array_size(list) - 1), "error", err.msg);
    }
    srs(c, list, major);
}

static void python(cli *c, json_t *list)
{
    char        version[256] = "";
    const char *path = cli_on_path(c, "python3");
    if (path)
        version_of(version, sizeof version, path);
    item(list, "python3", path ? HAVE : ABSENT, version, path, "building, tests, tools, and ezkl as a package", "apt-get install -y python3");
}

/* "12345 kB" lines of /proc/meminfo; 0 where there are none. */
static uint64_t meminfo(const char *key)
{
    char     line[256];
    uint64_t v = 0;
    FILE    *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            v = strtoull(line + strlen(key) + 1, NULL, 10) * 1024;
    if (f)
        fclose(f);
    return v;
}

static json_t *machine(void)
{
    const uint32_t cpu = dsp_cpu_bits();
    static const struct { uint32_t bit; const char *name; } names[] = {
        {DSP_CPU_AVX2, "avx2"}, {DSP_CPU_AVX512, "avx512"}, {DSP_CPU_AVX512IFMA, "avx512ifma"}, {DSP_CPU_SHANI, "sha_ni"}};
    json_t *o = json_object(), *features = json_array(), *k = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cpu & names[i].bit)
            json_array_append_new(features, json_string(names[i].name));
    put_text(k, "field", dsp_field_kernels_best(cpu)->name);
    put_text(k, "transforms", dsp_row_kernels_best(cpu)->name);
    put_text(k, "sha256", dsp_sha_kernels_best()->name);
    dsp_json_put(o, "threads", json_integer(dsp_cpu_count()));
    dsp_json_put(o, "features", features);
    dsp_json_put(o, "kernels", k);
    const uint64_t total = meminfo("MemTotal"), free_bytes = meminfo("MemAvailable");
    if (total)
        dsp_json_put(o, "memory_bytes", json_integer((json_int_t)total));
    if (free_bytes)
        dsp_json_put(o, "memory_available_bytes", json_integer((json_int_t)free_bytes));
    return o;
}

static void print(cli *c, const json_t *r)
{
    size_t        i;
    json_t       *o;
    char          features[64] = "", a[32], b[32];
    const json_t *m = json_object_get(r, "machine"), *k = json_object_get(m, "kernels");
    json_array_foreach(json_object_get(r, "checks"), i, o) {
        const bool ok = strcmp(dsp_json_str(o, "status"), "ok") == 0;
        char       line[512];
        snprintf(line, sizeof line, "%-14s %s%s%s", dsp_json_str(o, "name"), *dsp_json_str(o, "version") ? dsp_json_str(o, "version") : dsp_json_str(o, "status"),
                 *dsp_json_str(o, "path") ? "  " : "", dsp_json_str(o, "path"));
        if (strcmp(dsp_json_str(o, "form"), "Python package") == 0)
            snprintf(line + strlen(line), sizeof line - strlen(line), " (package)");
        if (ok || json_is_true(json_object_get(o, "needed")))
            cli_verdict(c, ok, "%s", line);
        else
            cli_text(c, "- %s", line);
        if (!ok)
            cli_text(c, "    for: %s\n    install: %s", dsp_json_str(o, "used_for"), dsp_json_str(o, "install"));
        if (*dsp_json_str(o, "error"))
            cli_text(c, "    %s", dsp_json_str(o, "error"));
    }
    json_array_foreach(json_object_get(m, "features"), i, o)
        snprintf(features + strlen(features), sizeof features - strlen(features), "%s%s", i ? " " : "", json_string_value(o));
    cli_text(c, "processor      %ju threads, %s", (uintmax_t)dsp_json_u64(m, "threads"), *features ? features : "no vector extensions used");
    cli_text(c, "kernels        field %s, transforms %s, sha256 %s", dsp_json_str(k, "field"), dsp_json_str(k, "transforms"), dsp_json_str(k, "sha256"));
    cli_text(c, "memory         %s, available %s", cli_bytes(a, dsp_json_num(m, "memory_bytes")), cli_bytes(b, dsp_json_num(m, "memory_available_bytes")));
}

int cmd_doctor(cli *c)
{
    dsp_err    err = {DSP_OK, ""};
    json_t    *r = dsp_json_head(), *list = json_array();
    char       protobuf[32], backend[64];
    dsp_status s = DSP_OK;
    snprintf(protobuf, sizeof protobuf, "%.31s", dsp_wire_library_version());
    snprintf(backend, sizeof backend, "protocol %d", DSP_PROTOCOL_VERSION);
    item(list, "dsperse", HAVE, DSP_VERSION, cli_exe_dir(c), NULL, NULL);
    item(list, "backend native", HAVE, backend, NULL, "the prover and verifier of this program", NULL);
    const bool have_runtime = runtime(c, list);
    const bool crypto = dsp_crypto_usable();
    item(list, "OpenSSL", crypto ? HAVE : LACKING, dsp_crypto_version(), NULL, "random bytes, SHA-256", "apt-get install -y libssl3");
    item(list, "jansson", HAVE, jansson_version_str(), NULL, "JSON", NULL);
    item(list, "protobuf-c", HAVE, protobuf, NULL, "reading ONNX", NULL);
    python(c, list);
    ezkl(c, list);
    dsp_json_put(r, "checks", list);
    dsp_json_put(r, "machine", machine());
    dsp_json_put(r, "ok", json_boolean(have_runtime && crypto));
    print(c, r);
    if (!have_runtime || !crypto)
        s = dsp_fail(&err, DSP_E_UNAVAILABLE, "something that is needed is missing");
    return cli_end(c, s, &err, r);
}
