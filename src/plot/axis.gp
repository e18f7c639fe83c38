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
eval begin_panels
do for [i = 1 : 6] {
    metric = word("ttft itl e2e", 1 + (i - 1) % 3)
    share = i <= 3 ? "p50" : "p99"
    x1 = 0.06 + 0.24 * ((i - 1) % 3)
    eval place(x1, x1 + 0.18, i <= 3 ? 0.54 : 0.09, i <= 3 ? 0.88 : 0.43)
    panel_title = upper(metric)." ".share." (s)"; eval set_panel_title
    if (i > 3 || is_text) { set xlabel axis } else { unset xlabel }
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
            if (i == 1) { set key at screen 0.755, 0.89 left top Left reverse samplen 2 title others }
            plot for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y \
                     with lines linewidth 2 linecolor rgb colour(line_colours[k]) \
                     dashtype line_dashes[k] \
                     title i == 1 ? lines[k] : "", \
                 for [k = 1 : n_lines] name.".csv" index k - 1 skip 1 using 1:column_of_y:2 \
                     with points pointtype variable pointsize 0.8 linecolor rgb colour(line_colours[k]) \
                     notitle, \
                 NaN with points pointtype 6 linecolor rgb "#444444" \
                     title i == 1 ? "saturated" : ""
            set key off
        }
    } else {
        eval no_panel
    }
    eval end_panel
}
eval end_panels
