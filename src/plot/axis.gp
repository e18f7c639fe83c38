# axis.gp: p50 and p99 of TTFT, ITL and E2E against a swept setting; loaded by axis_SETTING.gp.
width = 1200
height = 760
x_low = low
x_high = high
load "run.gp"
load "style.gp"

if (x_is_log) {
    set logscale x
    set xrange [x_low / (x_high / x_low) ** x_margin : x_high * (x_high / x_low) ** x_margin]
} else {
    set xrange [x_low - (x_high - x_low) * x_margin : x_high + (x_high - x_low) * x_margin]
}
set style line 4 linewidth 0.7 pointtype 7 pointsize 0.2 linecolor rgb light_grey
eval begin_panels
if (!is_text && n_key_lines > 0) {
    set label 3 key_text at screen 0.745, screen ((18.0 + 14.5 * n_key_lines) / height) left font ",9"
}
do for [i = 1 : 6] {
    metric = word("ttft itl e2e", 1 + (i - 1) % 3)
    share = i <= 3 ? "p50" : "p99"
    x1 = 0.06 + 0.24 * ((i - 1) % 3)
    eval place(x1, x1 + 0.18, i <= 3 ? 0.54 : 0.10, i <= 3 ? 0.88 : 0.44)
    panel_title = upper(metric)." ".share." (s)"; eval set_panel_title
    if (i > 3 || is_text) { set xlabel axis } else { unset xlabel }
    if (is_text && n_key_lines > 0 && n_key_lines < 9) { set xlabel axis."\n".key_text }
    column_of_y = 2 + i
    if (value(metric."_n") > 0) {
        low = low_of(metric)
        high = high_of(metric)
        eval set_y
        if (is_text) {
            if (i == 1) { set key below title others." (saturated or not)" } else { set key off }
            plot for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y \
                with points pointtype mark(k) title lines[k]
        } else {
            if (has_others) {
                plot name."_others.csv" skip 1 using 1:column_of_y with linespoints linestyle 4, \
                     for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y \
                         with lines linewidth 2 linecolor rgb colour(line_colours[k]) \
                         dashtype line_dashes[k], \
                     for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y:2 \
                         with points pointtype variable pointsize 0.8 \
                         linecolor rgb colour(line_colours[k])
            } else {
                plot for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y \
                         with lines linewidth 2 linecolor rgb colour(line_colours[k]) \
                         dashtype line_dashes[k], \
                     for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y:2 \
                         with points pointtype variable pointsize 0.8 \
                         linecolor rgb colour(line_colours[k])
            }
        }
    } else {
        eval no_panel
    }
    eval end_panel
    unset label 3
}
# The legend is a panel of its own, as high as the picture.
if (!is_text) {
    eval place(0.745, 0.99, 0.05, 0.92)
    unset title; unset xlabel; unset tics; unset border; unset logscale
    set xrange [0 : 1]
    set yrange [0 : 1]
    set key at screen 0.745, 0.90 left top Left reverse samplen 2 title others left
    if (has_others) {
        plot -1 with linespoints linestyle 4 pointsize 0.5 title "the others", for [k = 1 : n_lines] -1 \
                 with lines linewidth 2 linecolor rgb colour(line_colours[k]) \
                 dashtype line_dashes[k] title lines[k], \
             -1 with points pointtype 6 linecolor rgb "#444444" title "saturated"
    } else {
        plot for [k = 1 : n_lines] -1 with lines linewidth 2 linecolor rgb colour(line_colours[k]) \
                 dashtype line_dashes[k] title lines[k], \
             -1 with points pointtype 6 linecolor rgb "#444444" title "saturated"
    }
}
eval end_panels
