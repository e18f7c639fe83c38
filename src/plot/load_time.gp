# load_time.gp: how much there is to do over time: the batch of the decode steps, running and waiting
# requests. Run it with `gnuplot load_time.gp` in its directory. llmsim replaces this file: keep a
# changed one under another name.
name = "load_time"
width = 1200
height = 720
load "run.gp"
load "style.gp"

set xrange [time_low : time_high]
# A panel reaches up to the greatest value of a column.
top = 'set yrange [* : *]; stats "load.csv" skip 1 using top_column nooutput; \
       set yrange [0 : STATS_max > 0 ? 1.05 * STATS_max : 1]'
eval begin_panels

eval place(0.07, 0.78, 0.54, 0.91)
if (!is_text) { set ylabel has_batches ? "requests in a step" : "requests" offset 1, 0 }
if (is_text) { panel_title = "batch size: mean (*), greatest (#)"; eval set_panel_title }
set key at screen 0.79, 0.91 left top Left reverse samplen 2
top_column = has_batches ? 5 : 3
eval top
if (has_batches) {
    if (is_text) {
        plot "load.csv" skip 1 using 1:5 with points pointtype "#" notitle, \
             "load.csv" skip 1 using 1:4 with points pointtype "*" notitle
    } else {
        plot "load.csv" skip 1 using 1:5 with lines linecolor rgb grey title "decode batch: greatest", \
             "load.csv" skip 1 using 1:4 with lines linestyle 1 title "mean of ".load_span_text
    }
} else {
    if (is_text) {
        panel_title = "running requests (no batch size: ".(has_steps ? "no step decodes)" : "replay with --steps)"); eval set_panel_title
        plot "load.csv" skip 1 using 1:3 with points pointtype "*" notitle
    } else {
        set label 3 has_steps ? "no batch size:\nno step decodes" \
            : "no steps.csv:\nreplay with --steps\nfor the batch size" at screen 0.795, 0.84 left textcolor rgb "#555555"
        plot "load.csv" skip 1 using 1:3 with lines linestyle 1 title "running, mean of ".load_span_text
        unset label 3
    }
}
eval end_panel

top_column = 2
eval top
eval place(0.07, 0.78, 0.09, 0.46)
set xlabel "time (".time_unit.")"
if (!is_text) { set ylabel "requests that wait" }
if (is_text) { panel_title = "requests that wait: queue length"; eval set_panel_title }
set key at screen 0.79, 0.46 left top Left reverse samplen 2
plot "load.csv" skip 1 using 1:2 with lines linestyle 2 title is_text ? "" : "queue, mean of ".load_span_text
eval end_panels
