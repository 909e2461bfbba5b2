// SPDX-License-Identifier: Apache-2.0
// HTML and plain-text documents: what a reader sees becomes sections, by title and label; broken
// and hostile markup costs neither text nor time.
#include "harness.h"

#include "clinic/record/episode_document.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct title_map *titles(void) {
    static struct title_map *map;
    if (!map) map = title_map_open(NULL, 0, NULL);
    return map;
}

// The text of a section of a document; NULL: refused, or no such section. Valid until the next
// call.
static const char *section_bytes(const char *content, size_t bytes, const char *format,
                                 const char *title, const char *section) {
    static json_t *document;
    json_decref(document);
    struct clinic_error error = {0};
    if (!document_from_text(content, bytes, format, title, titles(), &document, &error)) {
        printf("    %s\n", error.message);
        return NULL;
    }
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(document, "sections"), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), section) == 0)
            return json_string_value(json_object_get(row, "text"));
    }
    return NULL;
}

static const char *section_of(const char *content, const char *format, const char *title,
                              const char *section) {
    return section_bytes(content, strlen(content), format, title, section);
}

static bool is(const char *text, const char *expected) {
    bool is_same = text && strcmp(text, expected) == 0;
    if (!is_same) printf("    \"%s\" is not \"%s\"\n", text ? text : "(null)", expected);
    return is_same;
}

static enum test_result test_admission(void) {
    static const char html[] =
        "<!DOCTYPE html><html><head><title>x</title><style>p{color:red}</style></head><body>"
        "<h1>入院记录</h1><div>姓名：张示安&nbsp;&nbsp;性别：男</div>"
        "<div><span class='label' "
        "code=\"DE04.01.119.00\">主　诉：</span><span>发热<b>5</b>天。</span></div>"
        "<p><strong>现病史</"
        "strong>：患者5天前受凉&amp;发热，体温&gt;39&#8451;，白细胞15.6×10<sup>9</sup>/L。"
        "<br>一般情况：精神可。<script>alert('现病史：')</script></p>"
        "<table><tr><td>既往史</td><td>糖尿病8年。</td></tr><tr><td>【个人史】</"
        "td><td>吸烟30年<del>饮酒</del>。"
        "</td></tr></table><p>一、体格检查</p><p>体温38.9℃</p><!-- 家族史：无 -->"
        "<p>初步诊断：1. 社区获得性肺炎</p><select><option>有</option><option "
        "selected>无</option></select>"
        "<input type=hidden value=a><input value='右肺'><p>医师签名：周示医</p></body></html>";
    const char *t = "入院记录";
    CHECK(is(section_of(html, "html", t, "一般情况"), "姓名：张示安 性别：男"));
    CHECK(is(section_of(html, "html", t, "主诉"), "发热5天。"));
    CHECK(is(section_of(html, "html", t, "现病史"),
             "患者5天前受凉&发热，体温>39℃，白细胞15.6×10⁹/L。\n一般情况：精神可。"));
    CHECK(is(section_of(html, "html", t, "既往史"), "糖尿病8年。"));
    CHECK(is(section_of(html, "html", t, "个人史"), "吸烟30年。"));
    CHECK(is(section_of(html, "html", t, "体格检查"), "体温38.9℃"));
    CHECK(is(section_of(html, "html", t, "初步诊断"), "1. 社区获得性肺炎\n无右肺"));
    CHECK(is(section_of(html, "html", t, "签名"), "周示医"));
    CHECK(section_of(html, "html", t, "家族史") == NULL);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"admission", "an admission note in HTML", test_admission},
    };
    int status = harness_main("episode_document", tests, sizeof tests / sizeof *tests, argc, argv);
    title_map_close(titles());
    return status;
}
