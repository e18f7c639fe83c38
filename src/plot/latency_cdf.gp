# latency_cdf.gp: how time to first token (TTFT), time between tokens (ITL) and end-to-end latency
# (E2E) are distributed. Run it with `gnuplot latency_cdf.gp` in its directory. llmsim replaces this
# file: keep a changed one under another name.
name = "latency_cdf"
width = 1200
height = 430
load "run.gp"
load "style.gp"

set yrange [0:1]
set ytics 0, 0.1, 1
# The percentiles of the titles, on the curves.
percentile_y(i) = word("0.5 0.9 0.99", int(i) + 1) + 0
percentile_x(i) = value(metric."_p".word("50 90 99", int(i) + 1))

eval begin_panels
do for [i = 1 : 3] {
    metric = word("ttft itl e2e", i)
    eval place(0.075 + 0.32 * (i - 1), 0.335 + 0.32 * (i - 1), 0.14, 0.80)
    set xlabel word("TTFT ITL E2E", i)." (s)"
    if (!is_text) { set ylabel i == 2 ? "share of gaps between tokens" : "share of requests" }
    dash = metric eq "itl" && itl_is_points ? 2 : 1
    if (value(metric."_n") > 0) {
        panel_title = sprintf("%s: p50 %.3g s, p90 %.3g s, p99 %.3g s", upper(metric), \
            value(metric."_p50"), value(metric."_p90"), value(metric."_p99")); eval set_panel_title
        low = low_of(metric)
        high = high_of(metric)
        eval set_x
        if (is_text) {
            plot metric."_cdf.csv" skip 1 using 2:1 with points pointtype "*"
        } else {
            plot metric."_cdf.csv" skip 1 using 2:1 with lines linestyle 1 \
                     dashtype dash, \
                 [k = 0 : 2 : 1] "+" using (percentile_x($1)):(percentile_y($1)) with points \
                     pointtype 7 pointsize 0.9 linecolor rgb vermilion
        }
    } else {
        panel_title = upper(metric).": no request has one"; eval set_panel_title
        eval no_panel
    }
    eval end_panel
}
eval end_panels
