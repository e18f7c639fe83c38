# load_time.gp: how much there is to do over time: the batch of the decode steps (or running requests,
# where the run wrote no steps.csv), waiting requests, and how busy the replicas are. Run it with
# `gnuplot load_time.gp` in its directory. llmsim replaces this file: keep a changed one under another
# name.
name = "load_time"
width = 1200
load "run.gp"
height = has_steps ? 860 : 640
load "style.gp"

set xrange [time_low : time_high]
# A column of load.csv; nothing where the file has none.
of(k) = valid(k) ? column(k) : NaN
mean_text = "mean over ".load_span_text
all_text = n_replicas > 1 ? sprintf(" of %d replicas", n_replicas - n_prefill) : ""
band_text = "least to most of a replica"
# A panel reaches up to the greatest value of a column.
top = 'set yrange [* : *]; stats "load.csv" skip 1 using (of(top_column)) nooutput; \
       set yrange [0 : STATS_max > 0 ? 1.05 * STATS_max : 1]'
key_y = 0
set_key = 'if (is_text) { set key off } \
    else { set key at screen 0.755, screen key_y left top Left reverse samplen 2 }'
set style fill solid noborder
eval begin_panels
n_panels = has_steps ? 3 : 2
panel_top(i) = 1 - 64.0 / height - (i - 1) * (1 - 84.0 / height) / n_panels
panel_bottom(i) = panel_top(i) - (1 - 84.0 / height) / n_panels + 62.0 / height

key_y = panel_top(1)
eval place(0.07, 0.745, panel_bottom(1), panel_top(1))
eval set_key
top_column = has_batches ? 5 : 3
eval top
if (!is_text) { set ylabel has_batches ? "requests in a decode step" : "running requests" offset 1, 0 }
if (has_batches) {
    if (is_text) {
        panel_title = "requests in a decode step: mean (*), greatest (#)"; eval set_panel_title
        plot "load.csv" skip 1 using 1:5 with points pointtype "#" notitle, \
             "load.csv" skip 1 using 1:4 with points pointtype "*" notitle
    } else {
        if (has_each) {
            plot "load.csv" skip 1 using 1:(of(5)) with steps linecolor rgb grey title "greatest step", \
                 "load.csv" skip 1 using 1:(of(8)):(of(9)) with filledcurves linecolor rgb light_blue \
                     title band_text, \
                 "load.csv" skip 1 using 1:(of(4)) with linespoints linestyle 1 pointtype 7 \
                     pointsize 0.2 title mean_text.all_text
        } else {
            plot "load.csv" skip 1 using 1:(of(5)) with linespoints linecolor rgb grey pointtype 7 \
                     pointsize 0.2 title "greatest step", \
                 "load.csv" skip 1 using 1:(of(4)) with linespoints linestyle 1 pointtype 7 \
                     pointsize 0.2 title mean_text.all_text
        }
    }
} else {
    if (is_text) {
        panel_title = "running requests (no batch size: ".(has_steps ? "no step decodes)" : "replay with --steps)"); eval set_panel_title
        plot "load.csv" skip 1 using 1:3 with points pointtype "*" notitle
    } else {
        set label 3 has_steps ? "no batch size:\nno step decodes" \
            : "no steps.csv:\nreplay with --steps\nfor the batch size" \
            at screen 0.76, screen (key_y - 0.11) left textcolor rgb "#555555"
        if (has_each) {
            plot "load.csv" skip 1 using 1:3 with lines linestyle 1 title mean_text.", all replicas", \
                 "load.csv" skip 1 using 1:7 with lines linecolor rgb dark_grey \
                     title "on the replica with most"
        } else {
            plot "load.csv" skip 1 using 1:3 with lines linestyle 1 title mean_text
        }
        unset label 3
    }
}
eval end_panel

key_y = panel_top(2)
eval place(0.07, 0.745, panel_bottom(2), panel_top(2))
eval set_key
top_column = 2
eval top
if (n_panels == 2) { set xlabel time_label }
if (!is_text) { set ylabel n_prefill > 0 ? "waiting for prefill" : "waiting requests" }
if (is_text) {
    panel_title = "waiting requests"; eval set_panel_title
    plot "load.csv" skip 1 using 1:2 with lines notitle
} else {
    if (has_each) {
        plot "load.csv" skip 1 using 1:2 with lines linestyle 2 title mean_text.", all replicas", \
             "load.csv" skip 1 using 1:6 with lines linecolor rgb dark_grey \
                 title "of the replica with most"
    } else {
        plot "load.csv" skip 1 using 1:2 with lines linestyle 2 title mean_text
    }
}
eval end_panel

if (has_steps) {
    key_y = panel_top(3)
    eval place(0.07, 0.745, panel_bottom(3), panel_top(3))
    eval set_key
    set yrange [0 : 105]
    set xlabel time_label
    if (!is_text) { set ylabel "steps run (% of the time)" }
    if (is_text) {
        panel_title = "steps run (% of the time)".(n_prefill > 0 ? ": prefill (#) and decode replicas (*)" : "")
        eval set_panel_title
        if (n_prefill > 0) {
            plot "load.csv" skip 1 using 1:(100 * of(11)) with points pointtype "#" notitle, \
                 "load.csv" skip 1 using 1:(100 * of(10)) with points pointtype "*" notitle
        } else {
            plot "load.csv" skip 1 using 1:(100 * of(10)) with points pointtype "*" notitle
        }
    } else {
        if (n_prefill > 0) {
            plot "load.csv" skip 1 using 1:(100 * of(12)):(100 * of(13)) with filledcurves \
                     linecolor rgb light_blue title band_text, \
                 "load.csv" skip 1 using 1:(100 * of(11)) with lines linestyle 2 \
                     title sprintf("mean of %d prefill replicas", n_prefill), \
                 "load.csv" skip 1 using 1:(100 * of(10)) with lines linestyle 1 \
                     title sprintf("mean of %d decode replicas", n_replicas - n_prefill)
        } else {
            if (has_each) {
                plot "load.csv" skip 1 using 1:(100 * of(12)):(100 * of(13)) with filledcurves \
                         linecolor rgb light_blue title band_text, \
                     "load.csv" skip 1 using 1:(100 * of(10)) with lines linestyle 1 \
                         title mean_text.all_text
            } else {
                plot "load.csv" skip 1 using 1:(100 * of(10)) with lines linestyle 1 title mean_text
            }
        }
    }
    eval end_panel
}
eval end_panels
