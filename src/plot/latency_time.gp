# latency_time.gp: latencies over time: TTFT and E2E by the arrival of the request; ITL by when the
# token came (TPOT, by arrival, where the run wrote no tokens.csv). Run it with `gnuplot
# latency_time.gp` in its directory. llmsim replaces this file: keep a changed one under another name.
name = "latency_time"
width = 1200
height = 900
load "run.gp"
load "style.gp"

eval begin_panels
do for [i = 1 : 3] {
    metric = word("ttft ".gap." e2e", i)
    eval place(0.07, 0.795, 0.975 - 0.302 * i, 0.93 - 0.302 * (i - 1))
    set xrange [time_low : time_high]
    unset logscale x
    set xtics autofreq
    if (i == 3) { set xlabel time_label } else { unset xlabel }
    if (!is_text) { set ylabel upper(metric)." (s)" offset 1, 0 }
    if (is_text) { panel_title = upper(metric)." (s) over time: median (*) and p99 (#) over ".span_text; eval set_panel_title }
    if (value(metric."_n") > 0) {
        low = low_of(metric)
        high = high_of(metric)
        eval set_y
        if (is_text) {
            plot metric."_time.csv" skip 1 using 1:3 with points pointtype "#", \
                 metric."_time.csv" skip 1 using 1:2 with points pointtype "*"
        } else {
            if (i == 1) { set key at screen 0.802, 0.93 left top Left reverse samplen 2 }
            plot metric."_sample.csv" skip 1 using 1:2 with points linestyle 3 \
                     pointsize value(metric."_n") < 500 ? 0.7 : 0.25 notitle, \
                 NaN with points linestyle 3 pointsize 1 \
                     title i == 1 ? "request or token" : "", \
                 metric."_time.csv" skip 1 using 1:3 with linespoints linestyle 2 \
                     pointtype 7 pointsize 0.3 \
                     title i == 1 ? "p99 over ".span_text : "", \
                 metric."_time.csv" skip 1 using 1:2 with linespoints linestyle 1 \
                     pointtype 7 pointsize 0.3 \
                     title i == 1 ? "median over ".span_text : ""
            set key off
        }
    } else {
        panel_title = upper(metric).": no request has one"; eval set_panel_title
        eval no_panel
    }
    eval end_panel
}
eval end_panels
