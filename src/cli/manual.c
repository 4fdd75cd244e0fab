/* Man pages (roff, macros of man(7)) from the tables that parse and print -h, and the texts that only a manual has. */
#include <ctype.h>
#include <string.h>

#include "cli/docs.h"

typedef struct {
    const char *command;
    const char *about;      /* paragraphs separated by an empty line */
    const char *examples;   /* "text\ncommand\n" pairs */
} page;

static const page pages[] = {
    {"slice",
     "Cuts the model before every convolution or matrix product by weights (or where --cuts says) and writes one ONNX file per segment and metadata.json "
     "into the slices folder. Nodes before the first cut belong to segment 0. Segments of an earlier slicing that dsperse made are replaced; a folder with "
     "other segments is refused without --force.\n\n"
     "Symbolic dimensions are bound with --dim; a leading one is 1 otherwise.",
     "Default cuts, and the analysis of the nodes:\ndsperse slice -m models/net -S\nOne segment of everything:\ndsperse slice -m models/net --cuts none\n"},
    {"compile",
     "Chooses integer scales from the samples (or from --input-range), writes them to quantization.json and turns every segment into a circuit and its keys. "
     "What is up to date by content is left alone. A segment with an operator that cannot be proved is skipped and named; that is a failure if --layers names "
     "the segment or --no-fallback is given.\n\n"
     "A model file instead of a slices folder is compiled as one segment, in <model folder>/model.\n\n"
     "--backend takes a name, or groups LAYERS:NAME separated by semicolons. Segments that no group names run as plain ONNX.\n\n"
     "Segments of the backend ezkl are proved by ezkl's Halo2 circuits, all at one scale. Their expected rows, memory, key sizes and times are printed before "
     "keys are made, and refused above --max-memory. Every stage that is done is kept, so that a compilation that was cut short goes on from there. "
     "ezkl needs a structured reference string (SRS) of the circuit's size, which is never downloaded: the message names the command that fetches it. "
     "--generate-test-srs makes one here that is fit for trying things out only, because whoever made it can forge proofs.",
     "Calibrated on two files:\ndsperse compile -s models/net/slices -i a.json -i b.json\nSegments 0 and 2 to 4 only:\ndsperse compile -s models/net/slices --backend \"0,2-4:native\"\n"
     "The first segment by ezkl, the second by the native prover:\ndsperse compile -m models/tiny --backend \"0:ezkl;1:native\" --generate-test-srs\n"},
    {"run",
     "Runs the compiled segments as exact integer programs and the others in ONNX Runtime, and writes the run folder run/run_YYYYMMDD_HHMMSS beside the "
     "slices: statement, witnesses, and the secret that proofs are made with. An incomplete run with the same input and keys is continued unless --new is given.",
     "Compared with the float model:\ndsperse run -s models/net/slices -i models/net/input.json --compare\n"},
    {"prove",
     "Makes one proof for every segment of a run that was compiled. Valid proofs that exist already are kept. Needs neither the model nor ONNX Runtime. "
     "Of several runs the newest complete one is taken, or, on a terminal, the one that is chosen.",
     "The newest run of a model:\ndsperse prove --rd models/net/run\nOne segment, by one process:\ndsperse prove --rd models/net/run -l 3 --threads 1\n"},
    {"verify",
     "Checks every proof of a run or bundle and that they form one chain: the public input, the public output, and the same private tensors on both sides of "
     "every cut. Without --model or --model-id it says nothing about which model was proved.\n\n"
     "With --layers only these proofs are checked, and the chain is not.\n\n"
     "Proofs by ezkl are checked by ezkl and against the integers of their neighbours. Without ezkl or its SRS the exit status is 5: not verified, which is "
     "not rejected. Proofs under an SRS that was made by --generate-test-srs are checked only where the same option is given, and are marked as insecure.",
     "Against the model:\ndsperse verify --rd bundle --model model.onnx --expect-input input.json --require-full\n"},
    {"bundle",
     "Copies what a verifier needs and nothing else: statement.bin, quantization.json, and per proved segment vk.bin and proof.bin. Prints what stays public or unproved.",
     "\ndsperse bundle --rd models/net/run -o bundle\n"},
    {"full-run",
     "The five steps one after the other; the first one that fails ends it with its exit status. Writes the analysis, and the results of the last three "
     "steps to inference_results.json and verification_results.json in the run root and to proof_results.json in the run folder. The keys are checked against the model.",
     "\ndsperse full-run -m models/net -i models/net/input.json\n"},
    {"bench",
     "Times run, prove and verify of a model in a copy of its folder, or the kernels: medians after a warm-up. With --backend it slices and compiles the model "
     "in a temporary folder under each of the proof systems named, and prints times, bytes and memory side by side. ezkl is measured under an insecure SRS where "
     "no other is installed.",
     "\ndsperse bench -m models/net --repeats 5\nBoth proof systems side by side:\ndsperse bench -m models/tiny --backend native,ezkl\n"},
    {"doctor",
     "Lists what dsperse uses with its version and place, which vector kernels this processor runs, and for everything missing the command that installs it. "
     "Changes nothing and uses no network. Exit status 5 when something that is needed is missing.",
     "\ndsperse doctor --json\n"},
};

static const struct { const char *name, *text; } environment[] = {
    {"DSPERSE_ORT", "the ONNX Runtime library to use; no other is looked for"},
    {"DSPERSE_EZKL", "the ezkl command to use; no other is looked for"},
    {"DSPERSE_PYTHON", "the Python interpreter that has the package ezkl; no command is looked for"},
    {"DSPERSE_SRS", "folder of insecure SRS files made here, in place of $XDG_CACHE_HOME/dsperse/srs or ~/.cache/dsperse/srs"},
    {"EZKL_REPO_PATH", "as ezkl has it: SRS files kzg<k>.srs are looked for in its folder srs, then in ~/.ezkl/srs"},
    {"NO_COLOR", "when set and not empty, no colours"},
    {"TERM", "when it is dumb, plain lines in place of progress bars, and no colours"},
    {"TMPDIR", "folder for temporary files of bench and of the search for ezkl, in place of /tmp"},
    {"HOME", "stands for ~ at the start of a path; other variables are expanded in paths too"},
};

static const struct { const char *name, *text; } files[] = {
    {"<model>/slices", "segments, metadata.json, quantization.json and the keys"},
    {"<model>/run/run_*", "one folder per run: statement, witnesses, proofs, run_result.json. Its files secret, witness and boundaries must stay private"},
    {"<model>/analysis/model_metadata.json", "nodes and parameters"},
};

static const struct { int code; const char *text; } exits[] = {
    {0, "everything that was asked for succeeded"},
    {1, "an operation failed"},
    {2, "bad usage, or a value is missing and there is nobody to ask"},
    {3, "a path or artifact is missing or malformed"},
    {4, "verification rejected: a proof is missing, malformed or false, or the chain does not hold"},
    {5, "ONNX Runtime, the backend asked for or its SRS is not available"},
    {130, "interrupted"},
};

/* Text with what roff would interpret escaped. */
static void roff(FILE *f, const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", f);
    for (; *s; s++)
        if (*s == '\\')
            fputs("\\e", f);
        else if (*s == '-')
            fputs("\\-", f);
        else if (*s == '\n')
            fputs("\n.PP\n", f);
        else
            fputc(*s, f);
}

static void paragraphs(FILE *f, const char *s)
{
    while (*s) {
        const char *e = strstr(s, "\n\n");
        const size_t n = e ? (size_t)(e - s) : strlen(s);
        char         text[2048];
        snprintf(text, sizeof text, "%.*s", (int)n, s);
        roff(f, text);
        fputc('\n', f);
        s += n;
        if (*s) {
            fputs(".PP\n", f);
            s += 2;
        }
    }
}

static void title(FILE *f, const char *name)
{
    char upper[64];
    size_t i = 0;
    for (; name[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    upper[i] = 0;
    fputs(".\\\" Generated from the option table by dsperse itself.\n.TH ", f);
    roff(f, upper);
    fprintf(f, " 1 \"\" \"dsperse %s\" \"dsperse manual\"\n.nh\n.ad l\n", DSP_VERSION);
}

static void option(FILE *f, const command *k, opt_id id)
{
    const opt_row *r = cli_option(id);
    bool           first = true;
    fputs(".TP\n", f);
    if (r->letter) {
        fprintf(f, "\\fB\\-%c\\fR", r->letter);
        first = false;
    }
    for (const char *n = r->names; *n;) {
        char         name[48];
        const size_t len = strcspn(n, " ");
        snprintf(name, sizeof name, "%.*s", (int)len, n);
        fprintf(f, "%s\\fB\\-\\-", first ? "" : ", ");
        roff(f, name);
        fputs("\\fR", f);
        first = false;
        n += len + (n[len] == ' ');
    }
    if (r->arg != ARG_NONE) {
        fprintf(f, " %s\\fI", r->arg == ARG_OPTIONAL_PATH ? "[" : "");
        roff(f, r->value);
        fprintf(f, "\\fR%s", r->arg == ARG_OPTIONAL_PATH ? "]" : "");
    }
    fputc('\n', f);
    roff(f, cli_option_help(k, id));
    fputc('\n', f);
}

static void exit_status(FILE *f)
{
    fputs(".SH EXIT STATUS\n", f);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        fprintf(f, ".TP\n.B %d\n", exits[i].code);
        roff(f, exits[i].text);
        fputc('\n', f);
    }
}

/* "text\ncommand\n" pairs. */
static void examples(FILE *f, const char *s)
{
    fputs(".SH EXAMPLES\n", f);
    while (*s) {
        char   text[2][512];
        for (int i = 0; i < 2; i++) {
            const size_t n = strcspn(s, "\n");
            snprintf(text[i], sizeof text[i], "%.*s", (int)n, s);
            s += n + (s[n] != 0);
        }
        if (*text[0]) {
            roff(f, text[0]);
            fputc('\n', f);
        }
        fputs(".PP\n.RS 4\n.EX\n", f);
        roff(f, text[1]);
        fputs("\n.EE\n.RE\n.PP\n", f);
    }
}

void docs_man_command(FILE *f, const command *k)
{
    char        name[64];
    const page *p = NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        p = strcmp(pages[i].command, k->name) == 0 ? &pages[i] : p;
    snprintf(name, sizeof name, "dsperse-%s", k->name);
    title(f, name);
    fputs(".SH NAME\n", f);
    roff(f, name);
    fputs(" \\- ", f);
    roff(f, k->help);
    fprintf(f, "\n.SH SYNOPSIS\n.B dsperse ");
    roff(f, k->name);
    fputs("\n.RI [ options ]\n", f);
    if (k->alias)
        fprintf(f, ".br\n.B dsperse %s\n.RI [ options ]\n", k->alias);
    if (p) {
        fputs(".SH DESCRIPTION\n", f);
        paragraphs(f, p->about);
    }
    if (*k->options != OPT_COUNT)
        fputs(".SH OPTIONS\n", f);
    for (const opt_id *o = k->options; *o != OPT_COUNT; o++)
        option(f, k, *o);
    fputs(".SH GLOBAL OPTIONS\n", f);
    for (const opt_id *o = cli_global_options(); *o != OPT_COUNT; o++)
        option(f, k, *o);
    exit_status(f);
    if (p)
        examples(f, p->examples);
    fputs(".SH SEE ALSO\n.BR dsperse (1)\n", f);
}

void docs_man_program(FILE *f)
{
    title(f, "dsperse");
    fputs(".SH NAME\ndsperse \\- prove what a neural network computed, segment by segment\n.SH SYNOPSIS\n.B dsperse\n.RI [ \"global options\" ] \" command \" [ options ]\n"
          ".SH DESCRIPTION\nCuts an ONNX model into segments, runs them as exact integer programs, proves every segment in zero knowledge\nand verifies the proofs as one chain. "
          "Results go to standard output, as one JSON object with\n.BR \\-\\-json ;\neverything else goes to standard error.\n"
          ".PP\nOn a terminal, what is needed and was not given is asked for, unless\n.B \\-\\-yes\nis given. Elsewhere the documented defaults are taken.\n.SH COMMANDS\n", f);
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fputs(".TP\n.B ", f);
        roff(f, k->name);
        if (k->alias)
            fprintf(f, " \\fR(\\fB%s\\fR)", k->alias);
        fputc('\n', f);
        roff(f, k->help);
        fputc('\n', f);
    }
    fputs(".SH GLOBAL OPTIONS\nAccepted before and after the command.\n", f);
    for (const opt_id *o = cli_global_options(); *o != OPT_COUNT; o++)
        option(f, NULL, *o);
    exit_status(f);
    fputs(".SH ENVIRONMENT\n", f);
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
        fprintf(f, ".TP\n.B %s\n", environment[i].name);
        roff(f, environment[i].text);
        fputc('\n', f);
    }
    fputs(".SH FILES\n", f);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        fputs(".TP\n.I ", f);
        roff(f, files[i].name);
        fputc('\n', f);
        roff(f, files[i].text);
        fputc('\n', f);
    }
    examples(f, "Everything, for one model:\ndsperse full-run -m models/net\nWhat a verifier needs, and the check:\ndsperse bundle --rd models/net/run -o bundle\n"
                "\ndsperse verify --rd bundle --model models/net/model.onnx\n");
    fputs(".SH SEE ALSO\n", f);
    bool first = true;
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fprintf(f, "%s.BR dsperse\\-", first ? "" : " ,\n");
        roff(f, k->name);
        fputs(" (1)", f);
        first = false;
    }
    fputc('\n', f);
}
