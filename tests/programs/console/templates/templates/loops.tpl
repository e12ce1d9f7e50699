Hello {{ <user: name> | uppercase }}!
{{ for each <t> at <i> in <user: tags> { }}{{ <i> }}={{ <t> }};{{ } }}
{{ for each <row> in <rows> { }}{{ <row: n> }}:{{ for each <cell> in <row: cells> { }}{{ <cell> }}{{ } }}|{{ } }}
{{ for each <age> in <ages> { }}{{ <age> }} {{ } }}{{ for each <x> in <missing> { }}never{{ } }}{{ for each <x> in <number> { }}never{{ } }}
{{ Compute the <double> from <number> * 2.
   Print <double> to the <template>. }} {{ <double> }} {{ <Print> the <user> for the <template> with "old style". }}
{{ match <number> { case 5 { Print "five" to the <template>. } otherwise { Print "other" to the <template>. } } }}
{{ Include the <part> from the <template: mail/row.tpl> with { label: "x", person: <user> }. }}{{ Include the <template: mail/row.tpl> with { label: "y", person: <user> }. }}