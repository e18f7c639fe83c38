# pareto.gp: throughput for what it costs against latency of all points of a sweep, with the Pareto
# fronts: no other point has more output tokens per GPU and second (or per dollar) at as low a p99. The
# numbers are those of points in sweep.csv. Run it with `gnuplot pareto.gp` in its directory. llmsim
# replaces this file: keep a changed one under another name.
name = "pareto"
width = 1200
load "run.gp"
load "fronts.gp"
list_rows = (n_list + 1) / 2 # in two columns
list_pixels = n_list > 0 ? 44.0 + 15 * list_rows : 0.0
height = 480 + list_pixels
load "style.gp"

set style line 4 linecolor rgb grey pointtype 6
set style line 5 linecolor rgb blue pointtype 7 pointsize 0.7
set style line 6 linecolor rgb vermilion linewidth 2 pointtype 7 pointsize 0.8
label_of(k) = strcol(k) eq "-" ? "" : strcol(k)
set xrange [0 : yield_high > 0 ? 1.08 * yield_high : 1]
eval begin_panels
if (!is_text && n_list > 0) {
    set label 3 "on a front: point: ".list_title at screen 0.05, screen ((list_pixels - 10) / height) \
        left font ",10" textcolor rgb "#555555"
    do for [i = 1 : n_list] {
        set label (3 + i) list[i] at screen (i <= list_rows ? 0.05 : 0.53), \
            screen ((list_pixels - 30 - 15 * ((i - 1) % list_rows)) / height) left font ",9"
    }
    if (n_on_fronts > n_list) {
        set label (4 + n_list) sprintf("and %d more, in pareto.csv", n_on_fronts - n_list) \
            at screen 0.95, screen ((list_pixels - 10) / height) right font ",9"
    }
}
do for [i = 1 : 3] {
    metric = word("ttft itl e2e", i)
    eval place(0.06 + 0.28 * (i - 1), 0.275 + 0.28 * (i - 1), (list_pixels + 62) / height, 1 - 86.0 / height)
    panel_title = upper(metric)." p99 (s)".(is_text ? ": front (#), other points (*), saturated (o)" : ""); eval set_panel_title
    set xlabel yield
    set xtics autofreq
    unset logscale x
    if (value(metric."_n") > 0) {
        low = low_of(metric) / 1.3 # room for numbers below the points
        high = high_of(metric)
        eval set_y
        # What there is nothing of is not plotted.
        y = 1 + i
        has_saturated = value(metric."_has_saturated")
        has_others = value(metric."_has_others")
        front = "front_".metric.".csv"
        if (is_text) {
            if (has_others && has_saturated) {
                plot "points.csv" index 1 skip 1 using 1:y with points pointtype "o", \
                     "points.csv" index 0 skip 1 using 1:y with points pointtype "*", \
                     front skip 1 using 1:2 with points pointtype "#"
            }
            if (has_others && !has_saturated) {
                plot "points.csv" index 0 skip 1 using 1:y with points pointtype "*", \
                     front skip 1 using 1:2 with points pointtype "#"
            }
            if (!has_others) { plot "points.csv" index 1 skip 1 using 1:y with points pointtype "o" }
        } else {
            if (i == 1) { set key at screen 0.85, screen (1 - 86.0 / height) left top Left reverse samplen 2 }
            if (has_others && has_saturated) {
                plot "points.csv" index 1 skip 1 using 1:y with points linestyle 4 title "saturated", \
                     "points.csv" index 0 skip 1 using 1:y with points linestyle 5 title "point", \
                     front skip 1 using 1:2 with linespoints linestyle 6 title "Pareto front", \
                     front skip 1 using 1:2:(label_of(4)) with labels offset 0, -0.9 font ",9" notitle
            }
            if (has_others && !has_saturated) {
                plot "points.csv" index 0 skip 1 using 1:y with points linestyle 5 title "point", \
                     front skip 1 using 1:2 with linespoints linestyle 6 title "Pareto front", \
                     front skip 1 using 1:2:(label_of(4)) with labels offset 0, -0.9 font ",9" notitle
            }
            if (!has_others) {
                plot "points.csv" index 1 skip 1 using 1:y with points linestyle 4 title "saturated"
            }
        }
        set key off
    } else {
        eval no_panel
    }
    eval end_panel
    do for [k = 3 : 4 + n_list] { unset label k }
}
eval end_panels
