/* Generated traces: reproducible, and with the statistics that were asked for. Bounds on averages
 * are six standard errors or more, and the seeds are fixed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "llmsim/generate.h"

#define N 200000

static struct llmsim_request requests[N];

static struct llmsim_generate_options poisson(void)
{
    struct llmsim_length_spec fixed = {.kind = LLMSIM_LENGTHS_FIXED, .mean = 100};
    return (struct llmsim_generate_options){
        .n_requests = N, .rate_per_s = 5, .prompt = fixed, .output = fixed};
}

static void generate(const struct llmsim_generate_options *options, struct llmsim_request *into)
{
    struct llmsim_generator *generator;
    struct llmsim_error err;
    size_t n, all = 0;
    cr_assert(llmsim_generator_create(options, &generator, &err) == LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_generator_source(generator);
    do {
        cr_assert(source.read(source.self, into + all, 1000, &n, &err) == LLMSIM_OK, "%s",
                  err.message);
        all += n;
    } while (n > 0);
    cr_assert(all == options->n_requests);
    llmsim_generator_destroy(generator);
}

static double mean_of(double (*value)(size_t i), size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += value(i);
    return sum / (double)n;
}

static double gap(size_t i)
{
    return (double)(requests[i + 1].arrival_ns - requests[i].arrival_ns) / 1e9;
}

static double squared_gap(size_t i)
{
    return gap(i) * gap(i);
}

static double prompt(size_t i)
{
    return requests[i].prompt_tokens;
}

static double gap_cv(void)
{
    double mean = mean_of(gap, N - 1);
    return sqrt(mean_of(squared_gap, N - 1) - mean * mean) / mean;
}

static void expect_near(double value, double expected, double relative)
{
    cr_expect(fabs(value / expected - 1) <= relative, "%.6f instead of %.6f", value, expected);
}

Test(generate, poisson_gaps_are_exponential)
{
    struct llmsim_generate_options options = poisson();
    generate(&options, requests);
    cr_expect(requests[0].arrival_ns == 0 && requests[0].row == 0);
    cr_expect(requests[N - 1].row == N - 1);
    expect_near(mean_of(gap, N - 1), 0.2, 0.015);
    expect_near(gap_cv(), 1, 0.02);
    /* Kolmogorov-Smirnov on a grid: the share of gaps below x is 1 - exp(-5 x). */
    for (double x = 0.01; x < 2; x += 0.01) {
        double share = 0;
        for (size_t i = 0; i < N - 1; i++)
            share += gap(i) < x;
        cr_expect(fabs(share / (N - 1) - (1 - exp(-5 * x))) < 2.0 / sqrt(N), "below %g: %g", x,
                  share / (N - 1));
    }
}

Test(generate, gamma_gaps_have_the_given_variation)
{
    static const double cvs[] = {0.1, 0.5, 1, 2, 5};
    for (size_t i = 0; i < sizeof cvs / sizeof *cvs; i++) {
        struct llmsim_generate_options options = poisson();
        options.arrivals = LLMSIM_ARRIVALS_GAMMA;
        options.cv = cvs[i];
        generate(&options, requests);
        expect_near(mean_of(gap, N - 1), 0.2, 0.015 * cvs[i] + 0.001);
        expect_near(gap_cv(), cvs[i], 0.02 * cvs[i] + 0.02);
    }
}

Test(generate, hyperexponential_gaps_have_the_given_variation)
{
    struct llmsim_generate_options options = poisson();
    options.arrivals = LLMSIM_ARRIVALS_HYPEREXPONENTIAL;
    options.cv = 3;
    generate(&options, requests);
    expect_near(mean_of(gap, N - 1), 0.2, 0.04);
    expect_near(gap_cv(), 3, 0.08);
    options.cv = 1; /* then it is Poisson */
    generate(&options, requests);
    expect_near(gap_cv(), 1, 0.02);
}

Test(generate, constant_gaps_do_not_drift)
{
    struct llmsim_generate_options options = poisson();
    options.arrivals = LLMSIM_ARRIVALS_CONSTANT;
    options.rate_per_s = 3;
    generate(&options, requests);
    for (int64_t i = 0; i < N; i++)
        cr_assert(requests[i].arrival_ns == (i * 2000000000 + 3) / 6); /* i/3 s, to the nearest */
}

/* The rate over a period of 1000 s, in 20 bins, against the integral of the curve. */
Test(generate, day_curve)
{
    double bins[20] = {0};
    struct llmsim_generate_options options = poisson();
    options.day_amplitude = 0.9;
    options.day_period_s = 1000;
    options.day_peak_s = 300;
    generate(&options, requests);
    double whole_periods = floor((double)requests[N - 1].arrival_ns / 1e12), n = 0;
    for (size_t i = 0; i < N; i++) {
        double t = (double)requests[i].arrival_ns / 1e9;
        cr_assert(i == 0 || requests[i].arrival_ns >= requests[i - 1].arrival_ns);
        if (t < whole_periods * 1000) {
            bins[(int)(fmod(t, 1000) / 50)]++;
            n++;
        }
    }
    expect_near(n / (whole_periods * 1000), 5, 0.015);
    double chi_square = 0;
    for (int i = 0; i < 20; i++) {
        double from = 2 * M_PI * (i * 50 - 300) / 1000, to = 2 * M_PI * (i * 50 - 250) / 1000;
        double expected = n * (0.05 + 0.9 / (2 * M_PI) * (sin(to) - sin(from)));
        chi_square += (bins[i] - expected) * (bins[i] - expected) / expected;
    }
    cr_expect(chi_square < 60, "chi-square %g with 19 degrees of freedom", chi_square);
}

/* Constant arrivals under a curve: after W(t) = w the k-th arrival has had k gaps of work. */
Test(generate, day_curve_inverts_its_integral)
{
    struct llmsim_generate_options options = poisson();
    options.arrivals = LLMSIM_ARRIVALS_CONSTANT;
    options.day_amplitude = 0.99;
    options.day_period_s = 86400;
    options.day_peak_s = 50400;
    generate(&options, requests);
    for (size_t i = 0; i < N; i++) {
        double t = (double)requests[i].arrival_ns / 1e9;
        double scale = 2 * M_PI / 86400;
        double work = t + 0.99 / scale * (sin(scale * (t - 50400)) + sin(scale * 50400));
        cr_assert(fabs(work - (double)i / 5) < 1e-8, "request %zu: %.12g", i, work);
    }
}

static void set_lengths(const char *text, struct llmsim_length_spec *spec)
{
    struct llmsim_error err;
    cr_assert(llmsim_length_spec_parse(text, spec, &err) == LLMSIM_OK, "%s", err.message);
}

Test(generate, lognormal_lengths)
{
    struct llmsim_generate_options options = poisson();
    set_lengths("lognormal:1000,0.5", &options.prompt);
    generate(&options, requests);
    expect_near(mean_of(prompt, N), 1000, 0.01);
    double below_median = 0;
    for (size_t i = 0; i < N; i++)
        below_median += prompt(i) < 1000 * exp(-0.125); /* the median is exp(mu) */
    expect_near(below_median / N, 0.5, 0.015);
    set_lengths("lognormal:1000,1,500,600", &options.prompt);
    generate(&options, requests);
    for (size_t i = 0; i < N; i++)
        cr_assert(requests[i].prompt_tokens >= 500 && requests[i].prompt_tokens <= 600);
}

Test(generate, quantile_lengths)
{
    struct llmsim_generate_options options = poisson();
    double shares[3] = {0};
    set_lengths("quantiles:0=0,0.25=1000,0.5=1000,1=3000", &options.prompt);
    generate(&options, requests);
    for (size_t i = 0; i < N; i++) {
        shares[0] += prompt(i) < 500;
        shares[1] += prompt(i) >= 1000 && prompt(i) <= 1000;
        shares[2] += prompt(i) > 2000;
    }
    expect_near(shares[0] / N, 0.125, 0.04);
    expect_near(shares[1] / N, 0.25, 0.03);
    expect_near(shares[2] / N, 0.25, 0.03);
    expect_near(mean_of(prompt, N), 0.25 * 500 + 0.25 * 1000 + 0.5 * 2000, 0.015);
}

Test(generate, empirical_lengths_are_pairs_of_the_sample)
{
    struct llmsim_request sample[3] = {{.prompt_tokens = 1, .output_tokens = 10},
                                       {.prompt_tokens = 2, .output_tokens = 20},
                                       {.prompt_tokens = 3, .output_tokens = 30}};
    struct llmsim_generate_options options = poisson();
    double shares[4] = {0};
    options.prompt.kind = options.output.kind = LLMSIM_LENGTHS_EMPIRICAL;
    options.sample = sample;
    options.n_sample = 3;
    generate(&options, requests);
    for (size_t i = 0; i < N; i++) {
        cr_assert(requests[i].prompt_tokens >= 1 && requests[i].prompt_tokens <= 3);
        cr_assert(requests[i].output_tokens == 10 * requests[i].prompt_tokens);
        shares[requests[i].prompt_tokens]++;
    }
    for (size_t i = 1; i <= 3; i++)
        expect_near(shares[i] / N, 1.0 / 3, 0.02);
}

static bool same(const struct llmsim_generate_options *a, const struct llmsim_generate_options *b,
                 bool arrivals)
{
    static struct llmsim_request one[3000], other[3000];
    generate(a, one);
    generate(b, other);
    for (size_t i = 0; i < a->n_requests; i++)
        if (arrivals ? one[i].arrival_ns != other[i].arrival_ns
                     : one[i].prompt_tokens != other[i].prompt_tokens ||
                           one[i].output_tokens != other[i].output_tokens)
            return false;
    return true;
}

Test(generate, seeds_and_streams)
{
    struct llmsim_generate_options a = poisson(), b;
    a.n_requests = 2000;
    set_lengths("lognormal:1000,1", &a.prompt);
    set_lengths("lognormal:100,1", &a.output);
    b = a;
    cr_expect(same(&a, &b, true) && same(&a, &b, false));
    b.seed = 1;
    cr_expect(!same(&a, &b, true) && !same(&a, &b, false));
    b.seed = UINT64_C(1) << 40; /* all 64 bits count */
    cr_expect(!same(&a, &b, true) && !same(&a, &b, false));
    b = a;
    b.arrivals = LLMSIM_ARRIVALS_GAMMA;
    b.cv = 3;
    cr_expect(!same(&a, &b, true) && same(&a, &b, false), "other arrivals, the same lengths");
    b = a;
    set_lengths("fixed:5", &b.output);
    cr_expect(same(&a, &b, true), "other lengths, the same arrivals");
}

Test(generate, specs_that_are_wrong)
{
    static const char *const specs[] = {
        "",
        "fixed",
        "fixed:",
        "fixed:1.5",
        "fixed:-1",
        "fixed:1000000001",
        "fixed:1,2",
        "normal:1,2",
        "lognormal:1",
        "lognormal:0,1",
        "lognormal:10,1,5",
        "lognormal:10,1,5,4",
        "lognormal:10,11",
        "lognormal:10,1,0.5,4",
        "lognormal:10,1,0,4,",
        "quantiles:",
        "quantiles:0=1",
        "quantiles:0=1,1",
        "quantiles:0=1,1=2,",
        "quantiles:0.1=1,1=2",
        "quantiles:0=1,0.9=2",
        "quantiles:0=1,0.5=3,0.5=4,1=5",
        "quantiles:0=1,0.5=3,1=2",
        "quantiles:0=1,1=2.5",
        "quantiles:0=1;1=2",
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct llmsim_length_spec spec;
        cr_expect(llmsim_length_spec_parse(specs[i], &spec, NULL) == LLMSIM_USAGE, "%s", specs[i]);
    }
    char many[1024] = "quantiles:0=0";
    for (int i = 1; i <= 31; i++)
        (void)sprintf(many + strlen(many), ",0.%02d=1", i);
    struct llmsim_length_spec spec;
    cr_expect(llmsim_length_spec_parse(strcat(many, ",1=1"), &spec, NULL) == LLMSIM_USAGE);
}

Test(generate, options_that_are_wrong)
{
    struct llmsim_generator *generator;
    for (int i = 0; i < 12; i++) {
        struct llmsim_generate_options o = poisson();
        switch (i) {
        case 0:
            o.rate_per_s = 0;
            break;
        case 1:
            o.rate_per_s = NAN;
            break;
        case 2:
            o.arrivals = LLMSIM_ARRIVALS_GAMMA;
            break; /* no cv */
        case 3:
            o.cv = 1;
            break; /* Poisson has none */
        case 4:
            o.arrivals = LLMSIM_ARRIVALS_HYPEREXPONENTIAL;
            o.cv = 0.5;
            break;
        case 5:
            o.arrivals = (enum llmsim_arrivals)99;
            break;
        case 6:
            o.day_amplitude = 1;
            o.day_period_s = 100;
            break;
        case 7:
            o.day_amplitude = 0.5;
            break; /* no period */
        case 8:
            o.day_amplitude = -0.5;
            o.day_period_s = 100;
            break;
        case 9:
            o.prompt.kind = LLMSIM_LENGTHS_EMPIRICAL;
            break; /* no sample */
        case 10:
            o.output.mean = 0.5;
            break;
        default:
            o.output.kind = (enum llmsim_lengths)99;
            break;
        }
        cr_expect(llmsim_generator_create(&o, &generator, NULL) == LLMSIM_USAGE, "case %d", i);
        llmsim_generator_destroy(generator);
    }
}

/* Found only while drawing. */
Test(generate, ranges_that_cannot_be_met)
{
    struct llmsim_generate_options o = poisson();
    struct llmsim_generator *generator;
    struct llmsim_request request;
    size_t n;
    set_lengths("lognormal:1000,0.1,1,2", &o.prompt);
    cr_assert(llmsim_generator_create(&o, &generator, NULL) == LLMSIM_OK);
    struct llmsim_source source = llmsim_generator_source(generator);
    cr_expect(source.read(source.self, &request, 1, &n, NULL) == LLMSIM_USAGE);
    llmsim_generator_destroy(generator);

    o = poisson();
    o.rate_per_s = 1e-9;
    cr_assert(llmsim_generator_create(&o, &generator, NULL) == LLMSIM_OK);
    source = llmsim_generator_source(generator);
    enum llmsim_status status = LLMSIM_OK;
    for (int i = 0; i < 100 && status == LLMSIM_OK; i++)
        status = source.read(source.self, &request, 1, &n, NULL);
    cr_expect(status == LLMSIM_USAGE);
    llmsim_generator_destroy(generator);
}

/* Shares of 3, 2 and 1: their standard errors over N draws are at most sqrt(1/4/N) = 0.0011. The
 * arrivals and lengths are those of the same seed without classes, and the classes of two seeds
 * differ. */
Test(generate, classes)
{
    static struct llmsim_request plain[N], other[N];
    struct llmsim_generate_options options = poisson();
    struct llmsim_class_mix *mix;
    double n_of[4] = {0};
    size_t n_other = 0;
    cr_assert(llmsim_class_mix_parse("chat=3,batch job=2,c=1", &mix, NULL) == LLMSIM_OK);
    generate(&options, plain);
    options.classes = mix;
    generate(&options, requests);
    options.seed = 1;
    generate(&options, other);
    for (size_t i = 0; i < N; i++) {
        cr_assert(requests[i].class_id >= 1 && requests[i].class_id <= 3);
        n_of[requests[i].class_id]++;
        n_other += requests[i].class_id != other[i].class_id;
        cr_assert(plain[i].class_id == 0 && requests[i].arrival_ns == plain[i].arrival_ns &&
                  requests[i].prompt_tokens == plain[i].prompt_tokens);
    }
    cr_expect(fabs(n_of[1] / N - 3 / 6.0) < 0.007 && fabs(n_of[2] / N - 2 / 6.0) < 0.007);
    /* Two independent draws are equal with probability (9 + 4 + 1)/36. */
    cr_expect(fabs((double)n_other / N - 22 / 36.0) < 0.007);
    llmsim_class_mix_destroy(mix);
}

Test(generate, classes_that_are_none)
{
    static const char *const faults[] = {
        "",
        "a",
        "a=",
        "a=0",
        "a=-1",
        "=1",
        "a=1,",
        ",a=1",
        "a=1,a=2",
        "a=x",
        "a\tb=1",
        "\xff=1",
        "1234567890123456789012345678901234567890123456789012345678901234=1",
        ("1=1,2=1,3=1,4=1,5=1,6=1,7=1,8=1,9=1,10=1,11=1,12=1,13=1,14=1,15=1,16=1,17=1,18=1,19=1,"
         "20=1,21=1,22=1,23=1,24=1,25=1,26=1,27=1,28=1,29=1,30=1,31=1,32=1,33=1")};
    struct llmsim_class_mix *mix;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        cr_expect(llmsim_class_mix_parse(faults[i], &mix, NULL) == LLMSIM_USAGE && mix == NULL,
                  "%s", faults[i]);
}
