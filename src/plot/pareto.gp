# pareto.gp: throughput against latency of all points of a sweep, with the Pareto fronts: no other
# point has more throughput at as low a p99. The numbers are those of points in sweep.csv. Run it with
# `gnuplot pareto.gp` in its directory. llmsim replaces this file: keep a changed one under another name.
name = "pareto"
width = 1200
height = 480
load "run.gp"
load "style.gp"

set xrange [0 : tokens_per_s_high > 0 ? 1.08 * tokens_per_s_high : 1]
set xtics rotate by 0
eval begin_panels
do for [i = 1 : 3] {
    metric = word("ttft itl e2e", i)
    eval place(0.06 + 0.28 * (i - 1), 0.275 + 0.28 * (i - 1), 0.13, 0.82)
    panel_title = upper(metric)." p99 (s)".(is_text ? ": front (#), other points (*), saturated (o)" : ""); eval set_panel_title
    set xlabel "output tokens/s"
    set xtics autofreq
    unset logscale x
    if (value(metric."_n") > 0) {
        low = low_of(metric)
        high = high_of(metric)
        eval set_y
        # What there is nothing of is not plotted.
        y = sprintf("%d", 1 + i)
        title_of(text) = i == 1 ? " title '".text."'" : " notitle"
        if (is_text) {
            saturated = " with points pointtype 'o' notitle"
            others = " with points pointtype '*' notitle"
            front = " with points pointtype '#' notitle"
        } else {
            set key at screen 0.85, 0.82 left top Left reverse samplen 2
            saturated = " with points pointtype 6 linecolor rgb grey".title_of("saturated")
            others = " with points pointtype 7 pointsize 0.7 linecolor rgb blue".title_of("point")
            front = " with linespoints linestyle 2 pointtype 7 pointsize 0.8".title_of("Pareto front")
        }
        front_file = "'front_".metric.".csv' skip 1 using "
        draw = "plot NaN notitle"
        if (value(metric."_has_saturated")) {
            draw = draw.", 'points.csv' index 1 skip 1 using 1:".y.saturated
        }
        if (value(metric."_has_others")) {
            draw = draw.", 'points.csv' index 0 skip 1 using 1:".y.others.", ".front_file."1:2".front
        }
        if (value(metric."_has_others") && !is_text) {
            draw = draw.", ".front_file."1:2:(strcol(4) eq '-' ? '' : strcol(4)) \
                with labels offset 0, -0.9 font ',9' notitle"
        }
        eval draw
        set key off
    } else {
        eval no_panel
    }
    eval end_panel
}
eval end_panels
