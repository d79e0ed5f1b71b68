var hs=globalThis,mn=e=>e,zt=hs.trustedTypes,pn=zt?zt.createPolicy("lit-html",{createHTML:e=>e}):void 0,ds="$lit$",G=`lit$${Math.random().toFixed(9).slice(2)}$`,us="?"+G,Xo=`<${us}>`,st=document,kt=()=>st.createComment(""),Tt=e=>e===null||typeof e!="object"&&typeof e!="function",ms=Array.isArray,vn=e=>ms(e)||typeof e?.[Symbol.iterator]=="function",cs=`[ 	
\f\r]`,_t=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,fn=/-->/g,gn=/>/g,tt=RegExp(`>|${cs}(?:([^\\s"'>=/]+)(${cs}*=${cs}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),bn=/'/g,$n=/"/g,yn=/^(?:script|style|textarea|title)$/i,ps=e=>(t,...s)=>({_$litType$:e,strings:t,values:s}),l=ps(1),tr=ps(2),Wl=ps(3),C=Symbol.for("lit-noChange"),h=Symbol.for("lit-nothing"),wn=new WeakMap,et=st.createTreeWalker(st,129);function _n(e,t){if(!ms(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return pn!==void 0?pn.createHTML(t):t}var kn=(e,t)=>{let s=e.length-1,i=[],o,r=t===2?"<svg>":t===3?"<math>":"",a=_t;for(let c=0;c<s;c++){let d=e[c],u,p,m=-1,f=0;for(;f<d.length&&(a.lastIndex=f,p=a.exec(d),p!==null);)f=a.lastIndex,a===_t?p[1]==="!--"?a=fn:p[1]!==void 0?a=gn:p[2]!==void 0?(yn.test(p[2])&&(o=RegExp("</"+p[2],"g")),a=tt):p[3]!==void 0&&(a=tt):a===tt?p[0]===">"?(a=o??_t,m=-1):p[1]===void 0?m=-2:(m=a.lastIndex-p[2].length,u=p[1],a=p[3]===void 0?tt:p[3]==='"'?$n:bn):a===$n||a===bn?a=tt:a===fn||a===gn?a=_t:(a=tt,o=void 0);let g=a===tt&&e[c+1].startsWith("/>")?" ":"";r+=a===_t?d+Xo:m>=0?(i.push(u),d.slice(0,m)+ds+d.slice(m)+G+g):d+G+(m===-2?c:g)}return[_n(e,r+(e[s]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),i]},xt=class e{constructor({strings:t,_$litType$:s},i){let o;this.parts=[];let r=0,a=0,c=t.length-1,d=this.parts,[u,p]=kn(t,s);if(this.el=e.createElement(u,i),et.currentNode=this.el.content,s===2||s===3){let m=this.el.content.firstChild;m.replaceWith(...m.childNodes)}for(;(o=et.nextNode())!==null&&d.length<c;){if(o.nodeType===1){if(o.hasAttributes())for(let m of o.getAttributeNames())if(m.endsWith(ds)){let f=p[a++],g=o.getAttribute(m).split(G),$=/([.?@])?(.*)/.exec(f);d.push({type:1,index:r,name:$[2],strings:g,ctor:$[1]==="."?Jt:$[1]==="?"?Qt:$[1]==="@"?Zt:it}),o.removeAttribute(m)}else m.startsWith(G)&&(d.push({type:6,index:r}),o.removeAttribute(m));if(yn.test(o.tagName)){let m=o.textContent.split(G),f=m.length-1;if(f>0){o.textContent=zt?zt.emptyScript:"";for(let g=0;g<f;g++)o.append(m[g],kt()),et.nextNode(),d.push({type:2,index:++r});o.append(m[f],kt())}}}else if(o.nodeType===8)if(o.data===us)d.push({type:2,index:r});else{let m=-1;for(;(m=o.data.indexOf(G,m+1))!==-1;)d.push({type:7,index:r}),m+=G.length-1}r++}}static createElement(t,s){let i=st.createElement("template");return i.innerHTML=t,i}};function nt(e,t,s=e,i){if(t===C)return t;let o=i!==void 0?s._$Co?.[i]:s._$Cl,r=Tt(t)?void 0:t._$litDirective$;return o?.constructor!==r&&(o?._$AO?.(!1),r===void 0?o=void 0:(o=new r(e),o._$AT(e,s,i)),i!==void 0?(s._$Co??=[])[i]=o:s._$Cl=o),o!==void 0&&(t=nt(e,o._$AS(e,t.values),o,i)),t}var Kt=class{constructor(t,s){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=s}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:s},parts:i}=this._$AD,o=(t?.creationScope??st).importNode(s,!0);et.currentNode=o;let r=et.nextNode(),a=0,c=0,d=i[0];for(;d!==void 0;){if(a===d.index){let u;d.type===2?u=new at(r,r.nextSibling,this,t):d.type===1?u=new d.ctor(r,d.name,d.strings,this,t):d.type===6&&(u=new Xt(r,this,t)),this._$AV.push(u),d=i[++c]}a!==d?.index&&(r=et.nextNode(),a++)}return et.currentNode=st,o}p(t){let s=0;for(let i of this._$AV)i!==void 0&&(i.strings!==void 0?(i._$AI(t,i,s),s+=i.strings.length-2):i._$AI(t[s])),s++}},at=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,s,i,o){this.type=2,this._$AH=h,this._$AN=void 0,this._$AA=t,this._$AB=s,this._$AM=i,this.options=o,this._$Cv=o?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,s=this._$AM;return s!==void 0&&t?.nodeType===11&&(t=s.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,s=this){t=nt(this,t,s),Tt(t)?t===h||t==null||t===""?(this._$AH!==h&&this._$AR(),this._$AH=h):t!==this._$AH&&t!==C&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):vn(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==h&&Tt(this._$AH)?this._$AA.nextSibling.data=t:this.T(st.createTextNode(t)),this._$AH=t}$(t){let{values:s,_$litType$:i}=t,o=typeof i=="number"?this._$AC(t):(i.el===void 0&&(i.el=xt.createElement(_n(i.h,i.h[0]),this.options)),i);if(this._$AH?._$AD===o)this._$AH.p(s);else{let r=new Kt(o,this),a=r.u(this.options);r.p(s),this.T(a),this._$AH=r}}_$AC(t){let s=wn.get(t.strings);return s===void 0&&wn.set(t.strings,s=new xt(t)),s}k(t){ms(this._$AH)||(this._$AH=[],this._$AR());let s=this._$AH,i,o=0;for(let r of t)o===s.length?s.push(i=new e(this.O(kt()),this.O(kt()),this,this.options)):i=s[o],i._$AI(r),o++;o<s.length&&(this._$AR(i&&i._$AB.nextSibling,o),s.length=o)}_$AR(t=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);t!==this._$AB;){let i=mn(t).nextSibling;mn(t).remove(),t=i}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},it=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,s,i,o,r){this.type=1,this._$AH=h,this._$AN=void 0,this.element=t,this.name=s,this._$AM=o,this.options=r,i.length>2||i[0]!==""||i[1]!==""?(this._$AH=Array(i.length-1).fill(new String),this.strings=i):this._$AH=h}_$AI(t,s=this,i,o){let r=this.strings,a=!1;if(r===void 0)t=nt(this,t,s,0),a=!Tt(t)||t!==this._$AH&&t!==C,a&&(this._$AH=t);else{let c=t,d,u;for(t=r[0],d=0;d<r.length-1;d++)u=nt(this,c[i+d],s,d),u===C&&(u=this._$AH[d]),a||=!Tt(u)||u!==this._$AH[d],u===h?t=h:t!==h&&(t+=(u??"")+r[d+1]),this._$AH[d]=u}a&&!o&&this.j(t)}j(t){t===h?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},Jt=class extends it{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===h?void 0:t}},Qt=class extends it{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==h)}},Zt=class extends it{constructor(t,s,i,o,r){super(t,s,i,o,r),this.type=5}_$AI(t,s=this){if((t=nt(this,t,s,0)??h)===C)return;let i=this._$AH,o=t===h&&i!==h||t.capture!==i.capture||t.once!==i.once||t.passive!==i.passive,r=t!==h&&(i===h||o);o&&this.element.removeEventListener(this.name,this,i),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},Xt=class{constructor(t,s,i){this.element=t,this.type=6,this._$AN=void 0,this._$AM=s,this.options=i}get _$AU(){return this._$AM._$AU}_$AI(t){nt(this,t)}},Tn={M:ds,P:G,A:us,C:1,L:kn,R:Kt,D:vn,V:nt,I:at,H:it,N:Qt,U:Zt,B:Jt,F:Xt},er=hs.litHtmlPolyfillSupport;er?.(xt,at),(hs.litHtmlVersions??=[]).push("3.3.3");var D=(e,t,s)=>{let i=s?.renderBefore??t,o=i._$litPart$;if(o===void 0){let r=s?.renderBefore??null;i._$litPart$=o=new at(t.insertBefore(kt(),r),r,void 0,s??{})}return o._$AI(e),o};var H={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Y=e=>(...t)=>({_$litDirective$:e,values:t}),P=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,s,i){this._$Ct=t,this._$AM=s,this._$Ci=i}_$AS(t,s){return this.update(t,s)}update(t,s){return this.render(...s)}};var sr={},fs=Y(class extends P{constructor(){super(...arguments),this.ot=sr}render(e,t){return t()}update(e,[t,s]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every((i,o)=>i===this.ot[o]))return C}else if(this.ot===t)return C;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,s)}});var{I:nr}=Tn,xn=e=>e;var te=e=>e.strings===void 0,Sn=()=>document.createComment(""),lt=(e,t,s)=>{let i=e._$AA.parentNode,o=t===void 0?e._$AB:t._$AA;if(s===void 0){let r=i.insertBefore(Sn(),o),a=i.insertBefore(Sn(),o);s=new nr(r,a,e,e.options)}else{let r=s._$AB.nextSibling,a=s._$AM,c=a!==e;if(c){let d;s._$AQ?.(e),s._$AM=e,s._$AP!==void 0&&(d=e._$AU)!==a._$AU&&s._$AP(d)}if(r!==o||c){let d=s._$AA;for(;d!==r;){let u=xn(d).nextSibling;xn(i).insertBefore(d,o),d=u}}}return s},Q=(e,t,s=e)=>(e._$AI(t,s),e),ir={},ct=(e,t=ir)=>e._$AH=t,An=e=>e._$AH,ee=e=>{e._$AR(),e._$AA.remove()};var or=Y(class extends P{constructor(){super(...arguments),this.key=h}render(e,t){return this.key=e,t}update(e,[t,s]){return t!==this.key&&(ct(e),this.key=t),s}});var Z=Y(class extends P{constructor(e){if(super(e),e.type!==H.PROPERTY&&e.type!==H.ATTRIBUTE&&e.type!==H.BOOLEAN_ATTRIBUTE)throw Error("The `live` directive is not allowed on child or event bindings");if(!te(e))throw Error("`live` bindings can only contain a single expression")}render(e){return e}update(e,[t]){if(t===C||t===h)return t;let s=e.element,i=e.name;if(e.type===H.PROPERTY){if(t===s[i])return C}else if(e.type===H.BOOLEAN_ATTRIBUTE){if(!!t===s.hasAttribute(i))return C}else if(e.type===H.ATTRIBUTE&&s.getAttribute(i)===t+"")return C;return ct(e),t}});var St=(e,t)=>{let s=e._$AN;if(s===void 0)return!1;for(let i of s)i._$AO?.(t,!1),St(i,t);return!0},se=e=>{let t,s;do{if((t=e._$AM)===void 0)break;s=t._$AN,s.delete(e),e=t}while(s?.size===0)},En=e=>{for(let t;t=e._$AM;e=t){let s=t._$AN;if(s===void 0)t._$AN=s=new Set;else if(s.has(e))break;s.add(e),lr(t)}};function rr(e){this._$AN!==void 0?(se(this),this._$AM=e,En(this)):this._$AM=e}function ar(e,t=!1,s=0){let i=this._$AH,o=this._$AN;if(o!==void 0&&o.size!==0)if(t)if(Array.isArray(i))for(let r=s;r<i.length;r++)St(i[r],!1),se(i[r]);else i!=null&&(St(i,!1),se(i));else St(this,e)}var lr=e=>{e.type==H.CHILD&&(e._$AP??=ar,e._$AQ??=rr)},ne=class extends P{constructor(){super(...arguments),this._$AN=void 0}_$AT(t,s,i){super._$AT(t,s,i),En(this),this.isConnected=t._$AU}_$AO(t,s=!0){t!==this.isConnected&&(this.isConnected=t,t?this.reconnected?.():this.disconnected?.()),s&&(St(this,t),se(this))}setValue(t){if(te(this._$Ct))this._$Ct._$AI(t,this);else{let s=[...this._$Ct._$AH];s[this._$Ci]=t,this._$Ct._$AI(s,this,0)}}disconnected(){}reconnected(){}};var gs=new WeakMap,ot=Y(class extends ne{render(e){return h}update(e,[t]){let s=t!==this.G;return s&&this.rt(void 0),(s||this.lt!==this.ct)&&(this.G=t,this.ht=e.options?.host,this.rt(this.ct=e.element)),h}rt(e){if(this.G!==void 0)if(this.isConnected||(e=void 0),typeof this.G=="function"){let t=this.ht??globalThis,s=gs.get(t);s===void 0&&(s=new WeakMap,gs.set(t,s)),s.get(this.G)!==void 0&&this.G.call(this.ht,void 0),s.set(this.G,e),e!==void 0&&this.G.call(this.ht,e)}else this.G.value=e}get lt(){return typeof this.G=="function"?gs.get(this.ht??globalThis)?.get(this.G):this.G?.value}disconnected(){this.lt===this.ct&&this.rt(void 0)}reconnected(){this.rt(this.ct)}});var Mn=(e,t,s)=>{let i=new Map;for(let o=t;o<=s;o++)i.set(e[o],o);return i},x=Y(class extends P{constructor(e){if(super(e),e.type!==H.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,s){let i;s===void 0?s=t:t!==void 0&&(i=t);let o=[],r=[],a=0;for(let c of e)o[a]=i?i(c,a):a,r[a]=s(c,a),a++;return{values:r,keys:o}}render(e,t,s){return this.dt(e,t,s).values}update(e,[t,s,i]){let o=An(e),{values:r,keys:a}=this.dt(t,s,i);if(!Array.isArray(o))return this.ut=a,r;let c=this.ut??=[],d=[],u,p,m=0,f=o.length-1,g=0,$=r.length-1;for(;m<=f&&g<=$;)if(o[m]===null)m++;else if(o[f]===null)f--;else if(c[m]===a[g])d[g]=Q(o[m],r[g]),m++,g++;else if(c[f]===a[$])d[$]=Q(o[f],r[$]),f--,$--;else if(c[m]===a[$])d[$]=Q(o[m],r[$]),lt(e,d[$+1],o[m]),m++,$--;else if(c[f]===a[g])d[g]=Q(o[f],r[g]),lt(e,o[m],o[f]),f--,g++;else if(u===void 0&&(u=Mn(a,g,$),p=Mn(c,m,f)),u.has(c[m]))if(u.has(c[f])){let T=p.get(a[g]),y=T!==void 0?o[T]:null;if(y===null){let Gt=lt(e,o[m]);Q(Gt,r[g]),d[g]=Gt}else d[g]=Q(y,r[g]),lt(e,o[m],y),o[T]=null;g++}else ee(o[f]),f--;else ee(o[m]),m++;for(;g<=$;){let T=lt(e,d[$+1]);Q(T,r[g]),d[g++]=T}for(;m<=f;){let T=o[m++];T!==null&&ee(T)}return this.ut=a,ct(e,d),C}});globalThis.HTMLFontElement&&Object.defineProperty(HTMLFontElement.prototype,"data",{set(e){this.textContent=e}});var bs="form_token",cr=document.querySelector(`meta[name="${bs}"]`),ie=cr?.content,Cn=()=>ie?l`<input type="hidden" name=${bs} value=${ie} />`:h,Nn=()=>ie?new URLSearchParams({[bs]:ie}):void 0;function R(e,t,s=document){let i=s.querySelector(e);if(i instanceof t)return i;throw new TypeError(`There is no ${t.name} ${e} on this page.`)}var ht=(e="#boot")=>JSON.parse(R(e,HTMLScriptElement).text),At=e=>(document.documentElement.dataset.base??"")+e;var On=["en",e=>e===1?0:1,{}],[$s,Ln,Et]=globalThis.pageLanguage??On;function In(...e){[$s,Ln,Et]=e.length?e:On}function w(e){let t,s;return()=>((t===void 0||s!==Et)&&([t,s]=[e(),Et]),t)}function Dn(e,t){let s=new Map(Object.entries(t));return e.replace(/\{(\w+)\}/g,(i,o)=>s.has(o)?ur(String(s.get(o))):i)}var hr=/[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/,dr=/^[\d.,:\s]*$/;function ur(e){return(globalThis.document?.dir==="rtl"?!dr.test(e):hr.test(e))?`⁨${e}⁩`:e}function n(e,t={}){return Dn(Et[e]?.[0]??e,t)}function A(e,t,s,i={}){let o=Et[e]?.[Ln(s)]??(s===1?e:t);return Dn(o,{n:s,...i})}function rt(){let e=$s.split("-")[0],t=globalThis.navigator?.languages?.find(s=>s.split("-")[0]===e)??$s;return new Intl.Locale(t,{numberingSystem:"latn",calendar:"gregory"}).toString()}var mr=9e3,pr=400;function Mt(e,t){let s=document.querySelector(`.${e}`);return s||(s=document.createElement("div"),s.className=e,s.setAttribute("role",t),document.body.append(s)),s}function Rn(){Mt("toasts","status"),Mt("announcer","status").classList.add("sr")}function Wn(){let e=()=>[...document.querySelectorAll("details.more[open]")].filter(fr);document.addEventListener("keydown",({key:t})=>t==="Escape"&&e().forEach(Ct));for(let t of["pointerdown","focusin"])document.addEventListener(t,({target:s})=>{for(let i of e())s instanceof Node&&i.contains(s)||(i.open=!1)})}var fr=e=>e instanceof HTMLDetailsElement;function Ct(e){let t=e.closest("details");t&&(t.open=!1,t.querySelector("summary")?.focus())}var dt=e=>e?l` <span class="quiet"><q><bdi>${e}</bdi></q></span>`:h;function vs(){let{activeElement:e}=document;return e instanceof HTMLElement?e:null}var Pn=0;function Nt(){let{classList:e}=document.documentElement;e.add("settling"),clearTimeout(Pn),Pn=setTimeout(()=>e.remove("settling"),pr)}function ys(e,t){Nt(),e.remove(),t?.isConnected&&t.focus()}function E(e){let t=Mt("announcer","status");t.textContent=t.textContent===e?`${e} `:e}function b(e,{bad:t=!1}={}){let s=Mt("toasts","status"),i=document.createElement("div");i.className=`toast arrive${t?" bad":""}`;let o=()=>i.remove(),r=()=>setTimeout(()=>i.matches(":hover, :focus-within")?r():o(),mr);for(D(l`<span>${e}</span
      ><button type="button" aria-label=${n("Close this message")} @click=${o}>✕</button>`,i),s.append(i);s.children.length>3;)s.firstElementChild?.remove();r()}function re(){Mt("toasts","status").replaceChildren()}var ws=new Set;function qn(){for(let e of ws)e.close()}function W({title:e,text:t,yes:s,no:i,also:o,danger:r=!1}){return new Promise(a=>{let c=document.createElement("dialog"),d=vs();c.className="ask",c.setAttribute("aria-labelledby","ask-title"),c.setAttribute("aria-describedby","ask-text"),D(l`<form method="dialog">
        <h2 id="ask-title">${e}</h2>
        <p id="ask-text">${t}</p>
        <div class=${o?"choose":"row"}>
          <button class="btn" value="no" autofocus>${i}</button>
          ${o?l`<button class="btn" value="also">${o}</button>`:h}
          <button class="btn ${r?"danger":"main"}" value="yes">${s}</button>
        </div>
      </form>`,c),c.addEventListener("close",()=>{ws.delete(c),ys(c,d);let{returnValue:u}=c;a(u==="yes"||u==="also"?u:"")}),document.body.append(c),c.showModal(),ws.add(c)})}function j({title:e,text:t,fields:s,yes:i,no:o,danger:r=!1}){return new Promise(a=>{let c=document.createElement("dialog"),d=vs(),u=null;c.className="ask",c.setAttribute("aria-labelledby","fill-title"),c.setAttribute("aria-describedby","fill-text"),D(l`<form class="stack" @submit=${m=>{m.preventDefault();let f=[...new FormData(m.currentTarget)];u=Object.fromEntries(f.map(([g,$])=>[g,String($)])),c.close()}}>
        <h2 id="fill-title">${e}</h2>
        <p id="fill-text">${t}</p>
        ${s}
        <div class="row">
          <button type="button" class="btn" @click=${()=>c.close()}>${o}</button>
          ${i?l`<button class="btn ${r?"danger":"main"}">${i}</button>`:h}
        </div>
      </form>`,c),c.addEventListener("close",()=>{ys(c,d),a(u)}),document.body.append(c),c.showModal()})}var oe=class{#t=null;#e=()=>h;get open(){return this.#t!==null}show(t,s,i=()=>{}){this.close();let o=document.createElement("dialog"),r=vs();o.className="drawer",o.setAttribute("aria-labelledby",t),this.#t=o,this.#e=s,o.addEventListener("click",a=>a.target===o&&o.close()),o.addEventListener("close",()=>{ys(o,r),this.#t===o&&(this.#t=null),i()}),this.redraw(),document.body.append(o),o.showModal()}redraw(){this.#t&&D(l`<div class="stack">${this.#e(()=>this.close())}</div>`,this.#t)}close(){this.#t?.close()}};function Hn(e,{kept:t,blocked:s,closed:i}){let{status:o,code:r,slow:a}=e,c=h;if(o==="retrying"||o==="connecting"&&a)c=l`<div class="banner">
      <span>${e.blocked?s:n("Connection lost. Trying again by itself.")} ${t}</span>
    </div>`;else if(o==="closed"&&r!==1e3){let{text:d,label:u,act:p}=i[String(r)]??i.other;c=l`<div class="banner closed">
      <span>${d}</span><button type="button" class="btn" @click=${p}>${u}</button>
    </div>`}return l`<div role="status">${c}</div>`}function Yn(e){let t=!1;return()=>{t||(t=!0,queueMicrotask(()=>{t=!1,e()}))}}var ks=ht(),jn=6e4,gr=3e4,br=5e3,ce=1/0,le=jn,Ts=!1,ae=!1,_s=!1,xs=-1/0,N=document.createElement("dialog");N.className="ask";N.setAttribute("role","alertdialog");N.setAttribute("aria-labelledby","idle-heading");N.setAttribute("aria-describedby","idle-text");N.innerHTML=`<h2 id="idle-heading"></h2>
  <p id="idle-text"><span></span> <b class="num"></b>.</p>
  <p class="row"><button class="btn main" type="button"></button></p>`;var[$r,wr,vr,Ss]=["h2","span","b","button"].map(e=>R(e,HTMLElement,N));document.body.append(N);function Fn(){$r.textContent=n("Are you still here?"),wr.textContent=ks.me.role==="auditor"?n("To keep what you read here safe you will be signed out in"):n("To keep patients’ information safe you will be signed out, and off call, in"),Ss.textContent=n("Stay signed in")}Fn();document.addEventListener("language",Fn);async function Ot(e){if(_s||=ae&&e==="POST",!ae){ae=!0,xs=performance.now();try{let t=await fetch(ks.session,{method:e,headers:{Accept:"application/json"},body:e==="POST"?Nn():void 0});if(!t.ok)return;let{ends_in_ms:s}=await t.json();if(!s)return location.assign(`${ks.home}/sign-in`);ce===1/0&&(le=Math.min(jn,s/2)),ce=performance.now()+s}catch{}finally{ae=!1,_s&&(_s=!1,Ot("POST").then(As))}}}function As(){let e=performance.now(),t=ce-e,s=t<le;Ts&&!N.open&&e-xs>Math.min(gr,le)?(Ts=!1,Ot("POST")):(s||ce===1/0)&&e-xs>Math.min(br,le/4)&&Ot("GET"),s&&!N.open&&N.isConnected&&t>0&&N.showModal(),!s&&N.open&&N.close();let i=Math.max(0,Math.ceil(t/1e3));s&&(vr.textContent=`${Math.floor(i/60)}:${String(i%60).padStart(2,"0")}`)}for(let e of["pointerdown","keydown"])addEventListener(e,()=>Ts=!0,{capture:!0,passive:!0});Ss.addEventListener("click",()=>Ot("POST").then(As));N.addEventListener("close",Nt);N.addEventListener("cancel",e=>{e.preventDefault(),Ss.click()});setInterval(As,1e3);Ot("GET");function he({name:e,logo:t},s=""){return t?l`<img class="logo" src=${t} alt=${s} />`:l`<span class="mark" aria-hidden="true">${e[0].toUpperCase()}</span>`}var Un=3e3,Es=w(()=>({"Safari on iOS":n("Open Settings, then Apps, then Safari, then Camera and Microphone, choose Allow, and reload this page."),Safari:n("In the menu bar choose Safari, then Settings for This Website, set Camera and Microphone to Allow, and reload this page."),Firefox:n("Click the crossed-out camera or microphone at the left of the address, remove the block, and reload this page."),Chromium:n("Click the icon at the left of the address, turn on Camera and Microphone, and reload this page.")})),Ms=w(()=>({iOS:n("Open Settings, then Apps, then this browser, turn on Camera and Microphone, and reload this page."),macOS:n("Open System Settings, then Privacy & Security, turn on this browser under Camera and under Microphone, and start the browser again."),Windows:n("Open Settings, then Privacy & security, turn on access for desktop apps under Camera and under Microphone, then press Try again."),Android:n("Open Settings, then Apps, then this browser, then Permissions, allow Camera and Microphone, and reload this page."),other:n("Open the privacy settings of this device, let this browser use camera and microphone, and reload this page.")})),Cs=()=>n("Tell the clinic. In the waiting room you can continue on another device, where it works."),Bn=()=>n("Unplug it and plug it in again, or choose another, then press Try again."),Ns=()=>n("Close other programs or tabs with video calls, then press Try again."),Os=()=>n("This page was opened without encryption (http)."),de=()=>n("For picture and sound use a current Chrome, Edge, Firefox or Safari. All else works here too."),Ls=(e="")=>e?n("The clinic can call you at {phone}.",{phone:e.replaceAll(" "," ")}):"",Gn=(e="")=>({what:n("This browser cannot make video calls."),todo:`${de()} ${Ls(e)}`.trim()});var yr=(e,t)=>({video:{denied:[n("This browser does not let the page use the camera."),Es()[e]],system:[n("This device does not let the browser use the camera."),Ms()[t]],framed:[n("The site that shows this page does not let it use the camera."),Cs()],silent:[n("Your camera gives no picture."),n("It may be covered or switched off, or another program has taken it. The page goes on by itself as soon as it is back.")],missing:[n("No camera was found."),n("Connect one if you have it: the page takes it by itself. You can also join without a camera.")],busy:[n("The camera is in use by another program."),Ns()],insecure:[Os(),n("Browsers give the camera only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use a camera."),de()],failed:[n("The camera could not be started."),Bn()]},audio:{denied:[n("This browser does not let the page use the microphone."),Es()[e]],system:[n("This device does not let the browser use the microphone."),Ms()[t]],framed:[n("The site that shows this page does not let it use the microphone."),Cs()],silent:[n("Your microphone gives no sound."),n("It may be switched off at the headset, or another program has taken it. The page goes on by itself as soon as it is back.")],missing:[n("No microphone was found."),n("Connect one if you have it: the page takes it by itself. You can also join without a microphone.")],busy:[n("The microphone is in use by another program."),Ns()],insecure:[Os(),n("Browsers give the microphone only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use a microphone."),de()],failed:[n("The microphone could not be started."),Bn()]},both:{denied:[n("This browser does not let the page use camera and microphone."),Es()[e]],system:[n("This device does not let the browser use camera and microphone."),Ms()[t]],framed:[n("The site that shows this page does not let it use camera and microphone."),Cs()],silent:[n("Your camera gives no picture and your microphone no sound."),n("Another program or a phone call may have taken them. The page goes on by itself as soon as they are back.")],missing:[n("No camera and no microphone were found."),n("Connect them if you have them: the page takes them by itself.")],busy:[n("Camera and microphone are in use by another program."),Ns()],insecure:[Os(),n("Browsers give camera and microphone only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use camera and microphone."),de()],failed:[n("Camera and microphone could not be started."),n("Unplug them and plug them in again, or choose others, then press Try again.")]}});function _r(e=navigator.userAgent,t=navigator.maxTouchPoints){return/iPhone|iPad|iPod/.test(e)||/Macintosh/.test(e)&&t>1?"Safari on iOS":/Firefox\//.test(e)?"Firefox":/Chrom(e|ium)\//.test(e)?"Chromium":/Safari\//.test(e)?"Safari":"Chromium"}function kr(e=navigator.userAgent,t=navigator.maxTouchPoints){return/iPhone|iPad|iPod/.test(e)||/Macintosh/.test(e)&&t>1?"iOS":/Android/.test(e)?"Android":/Macintosh/.test(e)?"macOS":/Windows/.test(e)?"Windows":"other"}function z(e,t){let s=i=>e[i]==="on"&&t?.isSilent(i)?"silent":e[i];return{audio:s("audio"),video:s("video")}}function Lt({video:e,audio:t},s=_r(),i=kr()){let o=yr(s,i);return(e===t?[["both",e]]:[["video",e],["audio",t]]).flatMap(([a,c])=>{if(c===null||c==="on"||c==="off")return[];let[d,u]=o[a][c];return[{what:d,todo:u}]})}var Vn=(e,t)=>new Promise((s,i)=>{let r=setTimeout(()=>i(new DOMException("It takes too long.","TimeoutError")),t);e.then(s,i).finally(()=>clearTimeout(r))});async function Tr(e,t){if(!t)return e.destination;let s=e.createMediaStreamDestination(),i=new Audio;return i.srcObject=s.stream,await i.setSinkId(t),await i.play(),s}async function ue({notes:e=[523.25,659.25],given:t=null,speaker:s=""}={}){let i=t??new AudioContext;try{await Vn(i.resume(),Un);let o=await Vn(Tr(i,s),Un),r=i.currentTime+.03;if(e.forEach((a,c)=>{let d=r+c*.22,u=new OscillatorNode(i,{frequency:a,type:"sine"}),p=new GainNode(i,{gain:0});p.gain.setValueAtTime(0,d),p.gain.linearRampToValueAtTime(.22,d+.02),p.gain.exponentialRampToValueAtTime(8e-4,d+.55),u.connect(p).connect(o),u.start(d),u.stop(d+.6)}),await new Promise(a=>setTimeout(a,220*e.length+600)),i.currentTime<r)throw new DOMException("No sound came out.","TimeoutError")}finally{t===null&&i.close().catch(()=>{})}}function zn(e){return e instanceof DOMException&&e.name==="TimeoutError"?n("No sound started. Connect a speaker or headphones, and press again."):n("The browser blocked the sound. Press again.")}var L=class extends Error{constructor(t,s,i={}){super(s),this.name="SignallingError",this.code=t,this.details=i}},M=e=>e instanceof L?e.code:"",Kn=e=>e instanceof L?e.details:{};var xr={not_signed_in:()=>n("You are not signed in here. Please sign in again."),too_many_sockets:()=>n("Too many pages are open. Close some of them, or try again in a moment."),not_allowed:()=>n("You may not do this."),not_found:()=>n("There is no such visit here."),wrong_status:()=>n("This visit has moved on; that is no longer possible."),already_claimed:({by:e})=>e?n("{name} has claimed this visit.",e):n("Someone else has claimed this visit."),not_on_call:()=>n("Go On-Call first."),other_area:()=>n("This request is in a waiting area in which you do not work."),in_session:()=>n("End or return your live session first."),front_desk:()=>n("The front desk looks at this request first."),not_licensed:()=>n("You are not licensed where this patient is."),at_capacity:()=>n("All places for calls are taken. The patient keeps the place in line. Try again in a moment."),invalid_answer:()=>n("This answer cannot be kept."),guide_incomplete:()=>n("Some steps of the setup guide are still open."),bad_sdp:()=>n("Your browser's picture and sound cannot be used here."),room_full:()=>n("There is no place left in this session."),limit_reached:()=>n("No more can be kept in this visit."),unavailable:()=>n("The server cannot save right now. Please try again in a moment."),closed:()=>n("The connection was closed."),offline:()=>n("Not connected. Nothing was changed."),timeout:()=>n("The server did not answer in time.")};function k(e){let t=e;return xr[t.code]?.(t.details??{})??t.message}var Sr=new Set(["offline","timeout"]),Jn=e=>Sr.has(M(e))?k(e):`${k(e)} ${n("Nothing was changed; please try again.")}`;var me="draft:",Qn="message/";function Zn(e,t,s){try{let{at_ms:i,values:o}=JSON.parse((s??sessionStorage).getItem(me+e)??"{}");return t-i<72e5?o:{}}catch{return{}}}function Xn(e,t,s,i){try{(i??sessionStorage).setItem(me+e,JSON.stringify({at_ms:s,values:t}))}catch{}}var Is=e=>Qn+e;function ti({messages:e=!1}={}){try{for(let t of Object.keys(sessionStorage))t.startsWith(me)&&(e||!t.startsWith(me+Qn))&&sessionStorage.removeItem(t)}catch{}}var zc=w(()=>["",n("You are next"),n("You are second in line"),n("You are third in line"),n("You are fourth in line"),n("You are fifth in line"),n("You are sixth in line"),n("You are seventh in line"),n("You are eighth in line"),n("You are ninth in line"),n("You are tenth in line")]),ei={};function si(e){ei=e}function ni(e){let t=Math.max(0,Math.floor(e/1e3)),s=o=>String(o).padStart(2,"0"),i=Math.floor(t/3600);return`${i?`${i}:${s(Math.floor(t/60)%60)}`:Math.floor(t/60)}:${s(t%60)}`}function X(e){let t=Math.round(e/6e4);return e<45e3?n("less than a minute"):A("{n} minute","{n} minutes",Math.max(1,t))}function O(e){return new Intl.DateTimeFormat(rt(),{hour:"numeric",minute:"2-digit"}).format(e)}function ut(e){return new Intl.DateTimeFormat(rt(),{month:"short",day:"numeric",hour:"numeric",minute:"2-digit"}).format(e)}function mt(e){let t=e.replace(/^(dr|mr|mrs|ms|prof)\.?\s+/i,"").split(/\s+/).filter(i=>/\p{L}/u.test(i));return[t[0],t.length>1?t.at(-1):""].map(i=>[...i??""][0]??"").join("").toUpperCase()||"?"}function F(e){return ei[e]??e}var Ar=w(()=>new Intl.DisplayNames(rt(),{type:"language"})),Er=w(()=>({ase:n("American Sign Language")}));function It(e){try{return Er()[e]??Ar().of(e)??e}catch{return e}}function Ds(e){let t=new Date(`${e}T00:00:00Z`);return Number.isNaN(t.getTime())?e:new Intl.DateTimeFormat(rt(),{dateStyle:"long",timeZone:"UTC"}).format(t)}function ii(e,t){let s=new Date(`${e}T00:00:00Z`),i=new Date(t);if(Number.isNaN(s.getTime()))return null;let o=[i.getUTCMonth()-s.getUTCMonth(),i.getUTCDate()-s.getUTCDate()];return i.getUTCFullYear()-s.getUTCFullYear()-(o[0]<0||o[0]===0&&o[1]<0?1:0)}var pe=e=>`tel:${e.replace(/[^+\d]/g,"")}`;var pt,Ps=()=>(pt??=document.querySelector("#boot")?ht():{},pt.texts),oi=e=>Ps()!==void 0&&Ps()?.[e]===void 0;function ri(e){let t=new DOMParser().parseFromString(e,"text/html").querySelector("#boot")?.textContent;t&&(pt={...pt,texts:{...pt?.texts,...JSON.parse(t).texts}})}function ai(e){let{lang:t}=document.documentElement,s=Ps()?.[t]?.[e];return s===void 0?{text:e,lang:pt?.main}:{text:s,lang:t}}var ft=class{lines=[];unread=0;open=!1;#t;#e;#s;#i;#n;#o=null;#a=!1;#l;constructor(t,s,i,o,r=null){this.#t=t,this.#e=s,this.#s=i,this.#i=r,this.#n=o,this.#l=Zn(Is(s),Date.now()).text??""}get draft(){return this.#l}set draft(t){this.#l=t,Xn(Is(this.#e),{text:t},Date.now())}start(){this.#o??=this.#t.subscribe(`chat/${this.#e}`,t=>this.#r(t))}stop(){this.#o?.(),this.#o=null}look(t){this.open=t,t&&(this.unread=0)}isMine(t){return t.party===this.#s&&(this.#i===null||t.name===this.#i)}async send(t){await this.#t.request({type:"chat.send",visit:this.#e,text:t})}#r(t){if(t.type==="chat.snapshot"){let i=new Set(this.lines.map(({id:r})=>r)),o=t.lines.filter(r=>!i.has(r.id)&&!this.isMine(r));return this.#a&&!this.open&&(this.unread+=o.length),this.#a=!0,this.lines=t.lines,this.#n(null)}this.lines=[...this.lines,t.line];let s=this.isMine(t.line)?null:t.line;return s&&!this.open&&(this.unread+=1),this.#n(s)}};function Mr(e,t,s){e.preventDefault();let i=e.currentTarget,o=R("textarea",HTMLTextAreaElement,i),r=R("button",HTMLButtonElement,i),a=o.value.trim();a&&(r.disabled=!0,t.send(a).then(()=>{o.value.trim()===a&&(t.draft="",o.value="")},s).finally(()=>{r.disabled=!1,o.focus()}))}function Cr(e){e.key!=="Enter"||e.shiftKey||e.isComposing||(e.preventDefault(),e.currentTarget.form?.requestSubmit())}var Nr=/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}’”])/;function Or(e){return e.split(Nr).map((t,s)=>s%2?{href:t}:t)}function Lr(e){return Or(e).map(t=>typeof t=="string"?t:l`<a href=${t.href} target="_blank" rel="noopener noreferrer">${t.href}</a>`)}var Ir=({party:e,text:t})=>e==="clinic"?ai(t):{text:t,lang:void 0};function Dr(e){let{text:t,lang:s}=Ir(e);return l`<p dir="auto" lang=${s??h}>${Lr(t)}</p>`}function fe(e,{may:t,failed:s,hint:i=""}){let o=r=>Mr(r,e,s);return l`<section class="chat" aria-label=${n("Messages")}>
    <div class="lines" role="log" tabindex="0" aria-label=${n("Messages")}><div>
      ${e.lines.length?h:l`<p class="quiet small">${n("Nothing has been written yet.")}</p>`}
      ${x(e.lines,({id:r})=>r,r=>l`<div class="line" ?data-mine=${e.isMine(r)}>
            <span class="small quiet"><bdi>${e.isMine(r)?n("You"):r.name}</bdi> ·
              <span class="num">${O(r.at_ms)}</span></span>
            ${Dr(r)}
          </div>`)}
    </div></div>
    ${t?l`<form class="write" @submit=${o}>
            <label class="sr" for="chat-text">${n("Your message")}</label>
            <textarea
              class="input"
              dir="auto"
              id="chat-text"
              name="text"
              rows="2"
              maxlength="2000"
              required
              placeholder=${n("Write a message")}
              .value=${e.draft}
              @input=${({currentTarget:r})=>{e.draft=r.value}}
              @keydown=${Cr}></textarea>
            <button class="btn main" name="send">${n("Send")}</button>
          </form>`:l`<p class="quiet small">${i}</p>`}
  </section>`}var ge=class{open=null;#t;#e=!1;#s;#i;#n;#o=null;constructor({client:t,visit:s,party:i,own:o,opens:r,redraw:a}){this.#t=r,this.#s=o,this.#i=a,this.#n=new ft(t,s,i,c=>this.#a(c))}start(){this.#n.start()}follow(t){let s=t&&!this.#e;this.#e=t,s&&this.#t&&!this.open&&this.show("own")}stop(){this.#n.stop(),E("")}show(t){this.open=t,this.#n.look(t==="chat"),t==="chat"&&re(),this.#i(),t&&setTimeout(()=>this.#o?.scrollIntoView({block:"nearest"}))}get all(){let t=this.#s(),s={id:"chat",label:n("Messages"),count:this.#n.unread,view:()=>l`<h2>${n("Messages")}</h2>
          ${fe(this.#n,{may:!0,failed:i=>b(k(i),{bad:!0})})}`};return t?[{id:"own",...t},s]:[s]}get current(){return this.all.find(({id:t})=>t===this.open)??null}get named(){return this.#e?this.all:this.all.filter(({id:t})=>t==="chat")}way(){let t=this.#s();if(!t)return h;let s=this.open==="own";return l`<button
      type="button"
      class="btn way"
      aria-expanded=${String(s)}
      @click=${()=>this.show(s?null:"own")}>
      <span>${t.label}</span>
    </button>`}view(t){return t?l`<aside
      class="beside"
      aria-label=${t.label}
      ${ot(s=>{this.#o=s??null})}>
      <button type="button" class="btn plain close" @click=${()=>this.show(null)}>
        ${n("Close")}</button>${t.view()}
    </aside>`:h}#a(t){if(t&&this.open!=="chat"){let s=n("Message from {name}: {text}",{name:t.name,text:t.text});b(s),E(s)}this.#i()}};var Rs={good:"",quiet:"off",amber:"amber"};function li({home:e,title:t,since_ms:s,quality:[i,o],asides:r,open:a,show:c,entries:d}){return l`<header class="bar">
    ${e}
    <h1 tabindex="-1" data-focus>${t}</h1>
    <span class="marks">
      <span class="state">
        ${s?l`<span class="chip off"><since-clock since=${s}></since-clock></span>`:h}
        <span class="chip ${Rs[o]}" role="status" translate="no"
          ><span class="dot"></span>${i}</span>
      </span>
      ${x(r,({id:u})=>u,({id:u,label:p,short:m=p,count:f})=>l`<button
            type="button"
            class="btn"
            aria-expanded=${a===u?"true":"false"}
            @click=${()=>c(a===u?null:u)}>
            <span class="full">${p}</span><span class="short" aria-hidden="true">${m}</span
            >${f?l` <span class="chip amber num">${f}</span>`:h}
          </button>`)}
      ${Pr(d)}
    </span>
  </header>`}function Pr(e){if(!e.length)return h;let t=(s,i)=>{Ct(s.currentTarget),i()};return l`<details class="more">
    <summary class="btn">${n("More")}</summary>
    <div class="card">
      ${e.map(({words:s,lang:i,act:o})=>l` <button
            type="button"
            class="btn plain"
            lang=${i??h}
            @click=${r=>t(r,o)}>
            ${s}
          </button>`)}
    </div>
  </details>`}var be=class{quality=null;#t=new Map;#e=0;#s=!1;#i;#n;constructor(t,s){this.#i=t,this.#n=s}restart(t){this.#s=t,this.quality=null,this.#t.clear(),this.#e=0}async look(){let{media:t}=this.#i;if(!this.#s||!t||document.hidden)return;let s=this.#o();try{this.#t=await t.stopped(i=>this.#i.quietOf(i)),this.#e++%4===0&&(this.quality=(await t.stats()).words)}catch{this.restart(this.#s)}this.#o()!==s&&this.#n()}of(t,{present:s,started:i}){return!this.#s||!s||!i||this.#i.path!=="connected"?null:this.#t.get(t)??(this.#i.lost(t)?"silent":null)}first(t){let s=t.flatMap(([i,o])=>{let r=this.of(i,o);return r?[{name:o.name,stopped:r}]:[]});return s.find(({stopped:i})=>i==="silent")??s[0]??null}#o(){return JSON.stringify([this.quality,...this.#t])}};var Rr=["audio","video"];function ci(e,t){let s={audio:!1,video:!1};e.addEventListener("change",()=>{let i=z(e.found,e.media);for(let o of Rr){let r=i[o]==="silent";r!==s[o]&&(s[o]=r,t()&&e.media&&Wr(o,r))}})}async function Ws(e){await e.prepare();for(let{what:t,todo:s}of Lt(z(e.found,e.media)))b(`${t} ${s}`,{bad:!0})}function Wr(e,t){if(!t)return b(e==="audio"?n("Your microphone works again."):n("Your camera works again."));for(let{what:s,todo:i}of Lt({audio:"on",video:"on",[e]:"silent"}))b(`${s} ${i}`,{bad:!0})}var U=(e,t="")=>l`<svg
    class=${t}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true">
    <path d=${e}></path>
  </svg>`,hi={microphone:U("M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3"),microphoneOff:U("M15 9.5V6a3 3 0 0 0-5.7-1.3M9 9v3a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 11.5 5.4M19 11a7 7 0 0 1-.5 2.5M12 18v3M4 4l16 16"),camera:U("M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM15 11l6-3.5v9L15 13"),cameraOff:U("M10 7h3a2 2 0 0 1 2 2v2l6-3.5v9L17.5 14.5M15 15a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 1.5-1.9M4 4l16 16"),screen:U("M4 5h16v11H4zM9 20h6M12 16v4M12 13V8M9.5 10.5 12 8l2.5 2.5"),devices:U("M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5"),full:U("M8 4H4v4M16 4h4v4M8 20H4v-4M16 20h4v-4"),notFull:U("M4 8h4V4M20 8h-4V4M4 16h4v4M20 16h-4v4"),leave:U("M3 14.5c0-1.5 4-3.5 9-3.5s9 2 9 3.5V17l-4 .5-1-3a14 14 0 0 0-8 0l-1 3L3 17z"),back:U("M9 14l-5-5 5-5M4 9h10a6 6 0 0 1 0 12h-3","points")};var di=w(()=>({title:n("Return to the queue?"),text:n("The patient goes back to their old place in line and is told so. Another clinician may claim the visit."),yes:n("Return to queue"),no:n("Stay in the session")})),ui=w(()=>({title:n("End the session?"),text:n("It ends for both of you, and the patient leaves this page."),yes:n("End session"),also:n("End it as held by phone"),no:n("Stay in the session"),danger:!0})),qr=w(()=>({title:n("Leave the visit?"),text:n("Your request ends, and the clinician is told so. To be seen later you would start again at the end of the line."),yes:n("Leave the visit"),no:n("Stay"),danger:!0}));function B({icon:e,word:t,act:s,pressed:i=null,danger:o=!1,main:r=!1}){return l`<button
    type="button"
    class="control ${o?"danger":""} ${r?"main":""}"
    aria-pressed=${i===null?h:String(i)}
    @click=${s}>
    ${hi[e]}<span>${t}</span>
  </button>`}function mi(e,t,s){return e==="provider"?[{words:n("Return to queue"),act:()=>s("visit.release",di())},{words:n("End session"),act:()=>s("visit.end",ui())}]:e==="guest"||t.left?[]:[{words:n("Leave the visit"),act:()=>s("visit.withdraw",qr())}]}function pi({role:e,me:{started:t,left:s},pressing:i,other:o,start:r,leave:a}){return l` ${t&&e==="guest"?l`<button type="button" class="btn big" aria-disabled="true">
          ${n("Waiting for the others")}
        </button>`:t?l`<button type="button" class="btn big" aria-disabled="true">
            ${n("Waiting for {name}",{name:o})}
          </button>`:l`<button
            type="button"
            class="btn main big"
            aria-disabled=${i?"true":"false"}
            @click=${r}>
            ${s?n("Rejoin"):n("Start Session")}
          </button>`}
  ${s?l`<button type="button" class="btn" @click=${()=>a("visit.withdraw",null)}>
          ${n("I am done")}
        </button>`:h}`}function Hr(e){R("#call-devices",HTMLDialogElement).showModal(),e.currentTarget.blur()}function fi({role:e,link:t,other:s,full:i,canFull:o,toggleFull:r,screen:a,devices:c,leave:d}){let{found:u,muted:p}=t;return l` ${u.audio==="on"?B({icon:p.audio?"microphoneOff":"microphone",word:p.audio?n("Unmute"):n("Mute"),pressed:p.audio,act:()=>t.mute("audio",!p.audio)}):B({icon:"microphoneOff",word:n("No microphone"),act:()=>Ws(t)})}
    ${u.video==="on"?B({icon:p.video?"cameraOff":"camera",word:p.video?n("Camera on"):n("Camera off"),act:()=>t.mute("video",!p.video)}):B({icon:"cameraOff",word:n("No camera"),act:()=>Ws(t)})}
    ${a?B({icon:"screen",...a}):h}
    ${B({icon:"devices",word:n("Devices"),act:Hr})}
    ${o?B({icon:i?"notFull":"full",word:i?n("Smaller"):n("Full screen"),act:r}):h}
    ${e==="provider"?l`${B({icon:"back",word:n("To queue"),act:()=>d("visit.release",di())})}${B({icon:"leave",word:n("End"),danger:!0,act:()=>d("visit.end",ui())})}`:B({icon:"leave",word:n("Leave the call"),danger:!0,act:()=>d("visit.hang_up",null)})}
    <dialog class="ask" id="call-devices" aria-labelledby="call-devices-title" @close=${Nt}>
      <h2 id="call-devices-title">${n("Devices")}</h2>
      <p class="quiet">
        ${n("A change of camera or microphone is seen and heard by {name} at once.",{name:s})}
      </p>
      ${c()}
      <form method="dialog" class="row"><button class="btn main">${n("Done")}</button></form>
    </dialog>`}var Yr=new Set(["default","communications"]),qs=e=>e.filter(({kind:t,id:s})=>t==="speaker"&&!Yr.has(s)),jr=(e,t)=>qs(t).some(({id:s})=>s===e)?e:"",$e=class{#t;#e;#s=new Set;#i="";#n=[];constructor({videos:t,redraw:s}){this.#t=t,this.#e=s}get blocked(){return[...this.#t()].some(t=>this.#s.has(t))}get speaker(){return"setSinkId"in HTMLMediaElement.prototype?jr(this.#i,this.#n):null}async choose(t){let s=this.#i;this.#i=t;try{return await this.#o(),"on"}catch{return this.#i=s,await this.#o().catch(()=>{}),"failed"}}take(t){this.#n=t,this.#o().catch(()=>{})}async#o(){let{speaker:t}=this;if(t===null)return;let s=[...this.#t()].filter(({sinkId:i})=>i!==t);await Promise.all(s.map(i=>i.setSinkId(t)))}listen(){this.#o().catch(()=>{});for(let t of this.#t())t.srcObject&&t.play().then(()=>this.#a(t,!1),s=>s.name==="NotAllowedError"&&this.#a(t,!0))}press(){this.#s.clear(),this.#e(),this.listen()}#a(t,s){this.#s.has(t)!==s&&(s?this.#s.add(t):this.#s.delete(t),this.#e())}};var Fr=w(()=>[["video",n("Camera")],["audio",n("Microphone")]]);async function Ur(e){try{await ue({speaker:e})}catch(t){b(zn(t),{bad:!0})}}function gi(e,t,s,i){let o=r=>i(r.target.value);return l`<label class="device"><span>${e}</span>
    <select class="input" .value=${Z(s)} @change=${o}>
      ${t.map(({id:r,label:a},c)=>l`<option value=${r} ?selected=${r===s}>${a||`${e} ${c+1}`}</option>`)}
    </select></label>`}var we=class{#t=[];#e;#s;#i;constructor({link:t,sound:s,redraw:i}){this.#e=t,this.#s=s,this.#i=i,t.addEventListener("devices",()=>this.#n())}view(){let{speaker:t}=this.#s,s=qs(this.#t);return l`<div class="devices">
      ${Fr().map(([i,o])=>{let r=this.#t.filter(c=>c.kind===i);if(this.#e.found[i]!=="on"||!r.length)return h;let a=r.find(({selected:c})=>c)?.id??"";return gi(o,r,a,c=>this.#o(i,c))})}
      ${t===null||!s.length?h:gi(n("Speaker"),[{id:"",label:n("As the system has it")},...s],t,i=>this.#o("speaker",i))}
      <button type="button" class="btn" @click=${()=>Ur(t??"")}>
        ${n("Test speaker")}
      </button>
    </div>`}async#n(){let{media:t}=this.#e;t&&(this.#t=await t.devices(),this.#s.take(this.#t),this.#i())}async#o(t,s){await(t==="speaker"?this.#s.choose(s):this.#e.media?.useDevice(t,s))!=="on"&&b(n("That device could not be started. The one before is kept."),{bad:!0}),await this.#n()}};function bi({found:e,again:t}){let s=Lt(e);if(!s.length)return h;let i=r=>e[r]===null||e[r]==="on",o=i("audio")?n("You can join without a camera."):i("video")?n("You can join without a microphone."):n("You can join all the same: you will see and hear the other side.");return l`<div class="notice amber troubles" role="status">
    ${s.map(({what:r,todo:a})=>l`<p><b>${r}</b> ${a}</p>`)}
    <p>${o}</p>
    <button type="button" class="btn" @click=${t}>${n("Try again")}</button>
  </div>`}var Hs="a=rtcp-fb:111 nack";function wi(e,t){return!t.includes(`${Hs}\r
`)||e.includes(`${Hs}\r
`)?e:e.replaceAll(/^a=rtpmap:111 .*\r\n/gm,s=>`${s}${Hs}\r
`)}function vi(e){return e.replaceAll(/^(m=video \d+ \S+)((?: \d+)*?)((?: 10[23])+)((?: \d+)*)\r$/gm,"$1$3$2$4\r")}var Br={width:1280,height:720,bitrate:15e5,framerate:30};async function yi(e){let t=async s=>{let i={...Br,contentType:s},o=await e?.encodingInfo({type:"webrtc",video:i}).catch(()=>null);return!!(o?.supported&&o.powerEfficient)};return await t("video/H264")&&!await t("video/VP8")}var $i="L1T3";async function _i(e,t){let s=e.getParameters(),[i]=s.encodings??[];!i||i.scalabilityMode===$i===t||(i.scalabilityMode=t?$i:"L1T1",await e.setParameters(s).catch(()=>{}))}var ve=class{#t=new Map;#e=new Set;#s=0;restart(){this.#t.clear()}read(t,s,i,o){t-this.#s>2e3&&this.restart(),this.#s=t;let r=new Map;for(let c of s?.values()??[]){let d=c.type==="inbound-rtp"?i(c.trackIdentifier):void 0;if(d===void 0)continue;let u=r.get(d)??{packets:0,frames:0};r.set(d,{packets:u.packets+(c.packetsReceived??0),frames:u.frames+(c.framesDecoded??0)})}let a=new Map;for(let[c,{packets:d,frames:u}]of r){let{audio:p,video:m}=o(c),f=this.#i(`${c} frames`,u,m,t),g=this.#i(`${c} packets`,d,p&&m,t);(g||f)&&a.set(c,g?"silent":"still")}return a}#i(t,s,i,o){s>0&&this.#e.add(t);let r=this.#t.get(t);return i||r?.count!==s?(this.#t.set(t,{count:s,at_ms:o}),!1):this.#e.has(t)&&o-r.at_ms>=2e3}};var ye=["audio","video"],ki={audio:{echoCancellation:!0,noiseSuppression:!0,autoGainControl:!0},video:{width:{ideal:640},height:{ideal:480},frameRate:{ideal:30,max:30}}},Vr={NotAllowedError:"denied",SecurityError:"insecure",NotFoundError:"missing",OverconstrainedError:"missing",NotReadableError:"busy",AbortError:"busy"},Gr=[0,1e3,2e3,4e3,8e3,16e3];function zr(e){return globalThis.document?.featurePolicy?.allowsFeature(e==="video"?"camera":"microphone")===!1}function _e(e,t="video"){let{name:s="",message:i=""}=e??{};return s==="NotAllowedError"&&/by (the )?system/i.test(i)?"system":s==="NotAllowedError"&&zr(t)?"framed":Vr[s]??"failed"}var Dt=({kind:e})=>e==="audio"?"audio":"video";function Kr(e){let t=e?.getSettings().facingMode;return!t||t==="user"}var ke=class{#t;#e;#s=!1;#i=!1;#n={audio:null,video:null};#o={audio:null,video:null};#a={audio:void 0,video:void 0};#l={audio:!1,video:!1};#r=null;#h=new MediaStream;#c=()=>{for(let t of Object.values(this.#n))t?.readyState==="ended"&&this.#g(Dt(t),t);this.#e("devicechange",null)};constructor({send:t,notify:s}){this.#t=t,this.#e=s,globalThis.navigator.mediaDevices?.addEventListener("devicechange",this.#c)}get preview(){return this.#h}get mirrored(){return Kr(this.#n.video)}sent(t){return t==="video"&&this.#s&&this.#r||this.#o[t]}show(t){return this.#r=t,this.#t()}async prepare({audio:t=!0,video:s=!0}={}){let i={audio:"off",video:"off"},o={audio:t,video:s},r=c=>this.#n[c]?.readyState==="live"&&!this.isSilent(c),a=ye.filter(c=>o[c]&&!r(c));for(let c of ye)o[c]&&(i[c]="on");if(a.length===0)return i;if(!globalThis.navigator.mediaDevices?.getUserMedia){let c=globalThis.isSecureContext?"unsupported":"insecure";for(let d of a)i[d]=c;return i}try{await this.#d(a)}catch(c){for(let d of a)i[d]=_e(c,d);if(a.length>1)for(let d of a)try{await this.#d([d]),i[d]="on"}catch(u){i[d]=_e(u,d)}}return i}async devices(){let t={audioinput:"audio",videoinput:"video",audiooutput:"speaker"};return(await globalThis.navigator.mediaDevices?.enumerateDevices?.()??[]).filter(i=>i.deviceId!==""&&i.kind in t).map(i=>{let o=t[i.kind],a=(o==="speaker"?null:this.#n[o])?.getSettings().deviceId===i.deviceId;return{kind:o,id:i.deviceId,label:i.label,selected:a}})}async useDevice(t,s){let i=this.#a[t];this.#a[t]=s;try{return await this.#d([t]),"on"}catch(r){if(_e(r)!=="busy"||!this.#n[t])return this.#a[t]=i,_e(r,t)}let o=this.#n[t];for(let r of[o,this.#o[t]])r?.stop();for(let r of[s,i]){this.#a[t]=r;try{return await this.#d([t]),r===s?"on":"busy"}catch{}}return o&&this.#f(t,o),"busy"}start(){this.#s=!0,this.#p()}stop(){this.#s=!1,this.#p()}setMuted(t,s){this.#l[t]=!!s,this.#p()}isMuted(t){return this.#l[t]}isSilent(t){return!!this.#n[t]?.muted}close(){this.#i=!0,globalThis.navigator.mediaDevices?.removeEventListener("devicechange",this.#c);for(let t of ye)this.#n[t]?.stop(),this.#o[t]?.stop(),this.#n[t]=this.#o[t]=null;for(let t of this.#h.getTracks())this.#h.removeTrack(t)}async#d(t){let s={};for(let o of t){let r=this.#a[o];s[o]=r?{...ki[o],deviceId:{exact:r}}:ki[o]}let i=await globalThis.navigator.mediaDevices.getUserMedia(s);for(let o of i.getTracks())this.#i?o.stop():await this.#m(Dt(o),o)}async#m(t,s){let[i,o]=[this.#n[t],this.#o[t]],r=s.clone();r.enabled=!1,t==="audio"&&"contentHint"in r&&(r.contentHint="speech"),s.addEventListener("ended",()=>this.#f(t,s));for(let a of["mute","unmute"])s.addEventListener(a,()=>this.#n[t]===s&&this.#e("tracksilent",t));this.#n[t]=s,this.#o[t]=r,this.#p(),this.#h.addTrack(s),await this.#t(),i&&(this.#h.removeTrack(i),i.stop(),o?.stop())}#p(){for(let t of ye){let[s,i]=[this.#n[t],this.#o[t]];s&&(s.enabled=!this.#l[t]),i&&(i.enabled=this.#s&&!this.#l[t])}}async#f(t,s){if(!(this.#n[t]!==s||this.#i)){this.#e("trackended",t);for(let i of Gr)if(await new Promise(o=>setTimeout(o,i)),await this.#g(t,s))return}}async#g(t,s){if(this.#n[t]!==s||this.#i)return!0;try{return await this.#d([t]),this.#e("trackrestored",t),!0}catch{return this.#a[t]=void 0,!1}}};var Jr=[{words:"poor",loss:.08,rtt_ms:500,freezes:2},{words:"fair",loss:.02,rtt_ms:250,freezes:1}],Te=class{#t=null;restart(){this.#t=null}read(t,s,i){let o={at_ms:t,octets:0,lost:0,packetsReceived:0,freezes:0,framesDecoded:0},r=null,a={framesPerSecond:0,audioEnergy:0,framesSent:0,sentEnergy:0};for(let y of s?.values()??[])y.type==="inbound-rtp"?(o.octets+=y.bytesReceived??0,o.lost+=y.packetsLost??0,o.packetsReceived+=y.packetsReceived??0,o.freezes+=y.freezeCount??0,o.framesDecoded+=y.framesDecoded??0,a.framesPerSecond+=y.framesPerSecond??0,a.audioEnergy+=y.totalAudioEnergy??0):y.type==="outbound-rtp"?a.framesSent+=y.framesEncoded??0:y.type==="media-source"?a.sentEnergy+=y.totalAudioEnergy??0:y.type==="candidate-pair"&&y.nominated&&y.currentRoundTripTime!==void 0&&(r=y.currentRoundTripTime*1e3);let c=this.#t??o;this.#t=o;let d=Math.max((o.at_ms-c.at_ms)/1e3,.001),u=Math.max(o.lost-c.lost,0),p=Math.max(o.packetsReceived-c.packetsReceived,0)+u,m={rtt_ms:r??0,loss:p>0?u/p:0,freezes:o.freezes-c.freezes},f=y=>m.loss>y.loss||m.rtt_ms>y.rtt_ms||m.freezes>=y.freezes,$=o.packetsReceived>(c===o?0:c.packetsReceived)?"good":"quiet",T=i?Jr.find(f)?.words??$:"lost";return{...a,rtt_ms:r,words:T,loss:m.loss,bitrate:c===o?0:Math.max(o.octets-c.octets,0)*8/d,freezes:o.freezes,framesDecoded:o.framesDecoded,packetsReceived:o.packetsReceived}}};var Qr={new:"connecting",connecting:"connecting",connected:"connected",disconnected:"reconnecting",failed:"failed",closed:"closed"},Zr=e=>/^o=\S+ (\d+)/m.exec(e)?.[1]??"";function Xr(e){let t=new Map;for(let s of e.split(/^m=/m).slice(1)){let[i,o]=[/^a=mid:(\S+)/m.exec(s),/^a=msid:(\S+)/m.exec(s)];i&&o&&t.set(i[1],o[1])}return t}var Pt=new Set(["0","1"]),Ys=()=>"RTCPeerConnection"in globalThis,ta=EventTarget,xe=class extends ta{#t;#e=null;#s="";#i=!1;#n="new";#o=!1;#a=!1;#l=new ke({send:()=>this.#f(),notify:(t,s)=>this.#u(t,s)});#r=new Te;#h=new ve;#c=new MediaStream;#d=new Map;#m=Promise.resolve();constructor({sendAnswer:t}){super(),this.#t=t,yi(navigator.mediaCapabilities).then(s=>{this.#i=s})}get preview(){return this.#l.preview}get mirrored(){return this.#l.mirrored}get remotes(){return this.#d}get remote(){return this.#c}get state(){return this.#n}prepare(t){return this.#l.prepare(t)}devices(){return this.#l.devices()}useDevice(t,s){return this.#l.useDevice(t,s)}accept({id:t,sdp:s,fresh:i=!1,iceServers:o=[]}){let r=this.#m.then(()=>this.#g(s,i,o));return this.#m=r.catch(()=>{}),r.then(a=>a&&this.#t(a,t))}start(){this.#l.start()}show(t){return this.#l.show(t)}stop(){this.#l.stop()}setMuted(t,s){this.#l.setMuted(t,s)}isMuted(t){return this.#l.isMuted(t)}isSilent(t){return this.#l.isSilent(t)}async stats(){let t=performance.now(),s=await this.#e?.getStats();return this.#r.read(t,s,this.#n==="connected")}async stopped(t){let s=performance.now(),i=await this.#e?.getStats();return this.#h.read(s,i,o=>this.#p(o),t)}close(){this.#a=!0,this.#e?.close(),this.#e=null,this.#l.close();for(let t of[this.#c,...this.#d.values()])for(let s of t.getTracks())t.removeTrack(s);this.#w("closed")}#p(t){for(let[s,i]of this.#d)if(i.getTrackById(t))return s}async#f(){for(let t of this.#e?.getTransceivers()??[]){if(!Pt.has(t.mid))continue;let s=this.#l.sent(Dt(t.receiver.track));t.sender.track!==s&&await t.sender.replaceTrack(s)}}async#g(t,s,i){if(this.#a)throw new DOMException("the session is closed","InvalidStateError");let o=Zr(t),r=s||o!==this.#s?null:this.#e,a=r??this.#T(i);r&&i.length&&r.setConfiguration({...r.getConfiguration(),iceServers:i}),this.#s=o,await a.setRemoteDescription({type:"offer",sdp:t});for(let c of a.getTransceivers())c.direction=Pt.has(c.mid)?"sendrecv":"recvonly";return this.#k(a,Xr(t)),await this.#f(),await this.#_(a,t),await this.#$(a),a===this.#e?a.localDescription?.sdp:null}async#_(t,s){let i=await t.createAnswer(),o=wi(i.sdp??"",s),r=this.#i?vi(o):o;await t.setLocalDescription({type:"answer",sdp:r}).catch(()=>t.setLocalDescription())}async#$(t){for(let{mid:s,receiver:i,sender:o}of t.getTransceivers())Pt.has(s)&&Dt(i.track)==="video"&&await _i(o,this.#d.size>1)}#k(t,s){let i=new Map;for(let{mid:r,receiver:a}of t.getTransceivers()){let c=r&&s.get(r);c&&(Pt.has(r)?i.set(c,null):i.set(c,[...i.get(c)??[],a.track]))}let o=[...this.#d.keys()].join();for(let r of this.#d.keys())i.has(r)||this.#d.delete(r);for(let[r,a]of i){let c=a===null?this.#c:this.#d.get(r)??new MediaStream;if(a){for(let d of c.getTracks())a.includes(d)||c.removeTrack(d);for(let d of a)c.addTrack(d)}this.#d.set(r,c)}o!==[...this.#d.keys()].join()&&this.#u("remotes",null)}#T(t){this.#e?.close();let s=new RTCPeerConnection({bundlePolicy:"max-bundle",iceServers:t});return this.#e=s,this.#r.restart(),this.#h.restart(),s.addEventListener("track",({track:i,transceiver:o})=>{if(Pt.has(o.mid)){for(let r of this.#c.getTracks())r.kind===i.kind&&this.#c.removeTrack(r);this.#c.addTrack(i),this.#u("remotetrack",i)}}),s.addEventListener("connectionstatechange",()=>{s===this.#e&&this.#w(Qr[s.connectionState])}),this.#w("connecting"),s}#w(t){t==="connected"&&(this.#o=!0),t==="connecting"&&this.#o&&(t="reconnecting"),t!==this.#n&&(this.#n=t,this.#u("state",t))}#u(t,s){this.dispatchEvent(new CustomEvent(t,{detail:s}))}};var ea=5e3,sa=1500,na=6e3,Ti={first:400,most:8e3},Se=class{#t;#e;#s={join:0,restart:0,rejoin:0};#i=0;#n=!1;constructor({restart:t,join:s}){this.#t=t,this.#e=s}begun(){clearTimeout(this.#s.restart),this.#s.restart=setTimeout(()=>this.now(),ea)}lost(){this.#s.restart||=setTimeout(()=>this.now(),sa),this.#s.rejoin||=setTimeout(()=>this.#e(),na)}async now(){if(!this.#n){this.joined(),this.#n=!0;try{await this.#t()}catch(t){M(t)==="no_room"?this.#e():M(t)!=="offline"&&this.later()}finally{this.#n=!1}}}later(){let t=Math.min(Ti.most,Ti.first*2**this.#i++)*(.75+Math.random()/2);clearTimeout(this.#s.join),this.#s.join=setTimeout(()=>this.#e(),t)}joined(){clearTimeout(this.#s.join)}found(){this.stop(),this.#i=0}stop(){for(let t of Object.values(this.#s))clearTimeout(t);this.#s={join:0,restart:0,rejoin:0}}};var ia=new Set(["not_allowed","not_found","wrong_status","closed"]),js=["audio","video"],Ae={audio:!1,video:!1},Fs={sharing:null,asked:!1},Ee=class extends EventTarget{media=null;path="joining";found={audio:null,video:null};muted={audio:!1,video:!1};screen=Fs;speaker=null;paused=!1;#t={};#e={};#s={};#i={};#n;#o;#a;#l=!1;#r=new Se({restart:()=>this.#n.request({type:"media.restart",visit:this.#o}),join:()=>this.path!=="taken_over"&&this.#$()});#h=!1;#c=new AbortController;constructor(t,s,i){super(),this.#n=t,this.#o=s,this.#a=i;let{signal:o}=this.#c,r=a=>c=>{c.detail.visit===s&&a(c.detail)};t.addEventListener("media.offer",r(a=>this.#k(a)),{signal:o}),t.addEventListener("media.gone",r(()=>this.path!=="taken_over"&&this.#$()),{signal:o}),t.addEventListener("media.taken_over",r(()=>this.#w()),{signal:o}),t.addEventListener("media.muted",r(({party:a,kind:c,muted:d,missing:u=!1})=>{if(this.#s[a]={...this.#s[a]??Ae,[c]:u},a===this.#a)return this.#m(c,d),this.#g();this.#e[a]={...this.mutedOf(a),[c]:d},this.#u({})}),{signal:o}),t.addEventListener("media.shared",r(({sharing:a,asked:c})=>this.#u({screen:{sharing:a,asked:c}})),{signal:o}),t.addEventListener("media.speaker",r(({party:a})=>this.#u({speaker:a})),{signal:o}),t.addEventListener("media.path",r(a=>{this.#i[a.party]=a,this.#u({})}),{signal:o}),t.addEventListener("media.paused",r(({paused:a})=>this.#u({paused:a})),{signal:o}),t.addEventListener("welcome",({detail:a})=>{if(this.path!=="taken_over"){if(this.#u({speaker:null,paused:!1}),!a.resumed||!this.#d)return void this.#$();this.#f(),this.#r.now()}},{signal:o}),t.addEventListener("moved",()=>this.#d&&this.#r.now(),{signal:o})}async open(){this.#_(),this.#$(),await this.prepare()}async prepare(){let{media:t}=this;if(!t)return;this.#u({found:{audio:null,video:null}});let s=await t.prepare({audio:!0,video:!0});this.media===t&&(this.#u({found:s}),this.dispatchEvent(new Event("devices")))}get#d(){return this.path==="connected"||this.path==="reconnecting"}mutedOf(t){return this.#e[t]??Ae}quietOf(t){let{audio:s,video:i}=this.mutedOf(t);return{audio:s,video:i||this.paused||this.screen.sharing===t}}hiddenOf(t){let{audio:s,video:i}=this.mutedOf(t),o=this.#s[t]??Ae,r=i&&this.screen.sharing!==t;return{audio:s,video:r||this.paused,missing:o,paused:this.paused&&!r}}share(t){return this.#n.request({type:"media.share",visit:this.#o,act:t})}async show(t){await this.media?.show(t)}blocked(t){if(t===this.#a&&this.path==="unable")return"browser";let s=this.#i[t];return s?.path==="none"&&(t!==this.#a||this.path!=="connected")?s.reason??"network":null}lost(t){return this.#i[t]?.path==="lost"}send(t){t!==this.#l&&(this.#l=t,t?this.media?.start():this.media?.stop())}mute(t,s){this.#t[t]=s,this.#p(t,s),this.#n.request({type:"media.mute",visit:this.#o,kind:t,muted:s}).catch(()=>{})}#m(t,s){this.#t[t]===void 0&&this.#p(t,s)}#p(t,s){this.media?.setMuted(t,s),this.#u({muted:{...this.muted,[t]:s}})}#f(){for(let t of js){let s=this.#t[t];s!==void 0&&this.#n.request({type:"media.mute",visit:this.#o,kind:t,muted:s}).catch(()=>{})}}#g(){for(let t of js){let[s,i]=[this.found[t],this.#s[this.#a]],o=s!=="on";s===null||!i||o===i[t]||(this.#s[this.#a]={...i,[t]:o},this.#n.request({type:"media.mute",visit:this.#o,kind:t,muted:this.muted[t],missing:o}).catch(()=>{}))}}close(){this.#c.abort(),this.#r.stop(),this.media?.close(),this.media=null,this.#u({path:"closed"})}#_(){this.media?.close();let t=new xe({sendAnswer:(i,o)=>this.#n.request({type:"media.answer",visit:this.#o,offer:o,sdp:i})});this.media=t,this.#u({path:Ys()?"joining":"unable"}),t.addEventListener("state",()=>this.media===t&&this.#T(t.state));let s=(i,o)=>t.addEventListener(i,({detail:r})=>{this.media===t&&(o(r),this.#u({}),this.dispatchEvent(new Event("devices")))});s("remotetrack",()=>{}),s("remotes",()=>{}),s("devicechange",()=>Object.values(this.found).includes("missing")&&this.prepare()),s("trackended",i=>this.#u({found:{...this.found,[i]:"busy"}})),s("tracksilent",()=>{}),s("trackrestored",i=>this.#u({found:{...this.found,[i]:"on"}})),this.#l&&t.start();for(let i of js)this.muted[i]&&t.setMuted(i,!0)}async#$(){if(this.#r.joined(),!(this.#h||!this.media||this.#n.status!=="open")){this.#h=!0;try{await this.#n.request({type:"media.join",visit:this.#o,able:Ys()}),this.#f()}catch(t){ia.has(M(t))||this.#r.later()}finally{this.#h=!1}}}async#k(t){let{media:s}=this;if(!(!s||this.path==="taken_over"||this.path==="unable")){t.fresh&&(this.#r.joined(),[this.#e,this.#i]=[{},{}],this.#s={[this.#a]:Ae},this.#u({screen:Fs,speaker:null,paused:!1}),this.#g());try{let{offer:i,sdp:o,fresh:r,ice_servers:a}=t;await s.accept({id:i,sdp:o,fresh:r,iceServers:a})}catch{this.media===s&&this.#r.later()}}}#T(t){t==="connected"?(this.#r.found(),this.#u({path:"connected"})):t==="connecting"?this.#r.begun():t==="reconnecting"?(this.#u({path:"reconnecting"}),this.#r.lost()):t==="failed"&&(this.#u({path:"reconnecting"}),this.#r.later())}#w(){this.#r.stop(),this.media?.close(),this.media=null,this.#u({path:"taken_over",screen:Fs,speaker:null,paused:!1})}#u(t){Object.assign(this,t),t.found&&this.#g(),this.dispatchEvent(new Event("change"))}};function xi({role:e,own:t,unable:s=!1,others:i,phone:o}){if(!t&&!i.length)return null;let r=Gn(),a=i.join(", "),[c,d]=t?s?[r.what,r.todo]:[n("Your network blocks video calls."),n("Try mobile data or another Wi-Fi. The call connects by itself as soon as there is a way.")]:[s?n("The browser of {name} cannot make video calls.",{name:a}):n("The network of {name} blocks video calls.",{name:a}),n("They read what they can try. The call connects by itself as soon as there is a way.")],u=e==="patient"&&o?Ls(o):e==="provider"?n("You can also call the patient, and end the visit as held by phone."):"";return[c,u?`${d} ${u}`:d]}function Si({words:e,call:t}){return l`<div class="blocked notice amber" ?data-empty=${!e}>
    <div role="status">
      ${e?l`<p><strong>${e[0]}</strong></p>
        <p>${e[1]}</p>`:h}
    </div>
    ${e&&t?l`<a class="btn" href=${pe(t.phone)}>${n("Call by phone: {phone}",{phone:(t.phone_shown||t.phone).replaceAll(" "," ")})}</a>`:h}
  </div>`}function Ei(e,{role:t}){if(e.left)return{text:n("{name} has left the call",e),detail:e.present?n("They can rejoin"):n("Their page is closed"),tone:"amber"};if(e.present&&e.started)return{text:n("{name} is here",e),detail:n("Has pressed Start Session"),tone:"good"};if(e.present)return{text:n("{name} is here",e),detail:n("Has not pressed Start Session yet"),tone:"quiet"};if(e.away_since_ms)return{text:n("{name} is away",e),detail:l`${n("Away since")} <since-clock since=${e.away_since_ms}></since-clock>`,tone:"amber"};let s=t==="provider"?n("Their page is brought here by itself"):n("Will be here in a moment");return{text:n("{name} is on the way",e),detail:s,tone:"quiet"}}function Mi(e){return e.left?n("{name} has left the call.",e):e.present?e.started?n("{name} is here and has pressed Start Session.",e):n("{name} is here.",e):e.away_since_ms?n("{name} is away.",e):n("{name} is on the way.",e)}function Ci(e,t){let s=z(e.found,e.media),i=o=>e.path==="connected"&&s[o]==="on"&&!e.muted[o]&&t.every(([r,{present:a,started:c}])=>{let d=e.hiddenOf(r);return a&&c&&!d[o]&&!d.missing[o]&&!e.blocked(r)&&!e.lost(r)});return i("audio")?i("video")?n("The session has begun. You see and hear each other."):n("The session has begun. You hear each other."):n("The session has begun.")}function Ni({me:e,other:t,path:s,cleared:i}){return e.left?n("You left the call. {name} is told so. Nobody sees or hears you.",t):!e.started&&i?n("Your connection was lost for too long. Press Start Session to go on with the session."):e.started?t.left?n("The session goes on when {name} rejoins.",t):t.present?s==="reconnecting"?n("You have pressed Start Session. The media connection is being repaired."):n("You have pressed Start Session. It begins as soon as {name} presses too.",t):n("You have pressed Start Session. It begins when {name} is back and presses too.",t):n("Neither side sees or hears the other until both have pressed Start Session.")}var Ai=w(()=>({good:[n("Connection good"),"good"],fair:[n("Connection fair"),"quiet"],poor:[n("Connection poor: sound comes first"),"amber"],paused:[n("Picture paused: weak network"),"amber"],quiet:[n("Connected"),"quiet"],lost:[n("Connection lost, reconnecting…"),"amber"]}));function Oi({name:e,stopped:t}){return t==="silent"?n("Nothing arrives from {name}. The call goes on by itself when they are back.",{name:e}):n("{name}’s picture has stopped.",{name:e})}function Li({path:e,blocked:t,words:s,standstill:i}){return e==="unable"?[n("No video in this browser"),"amber"]:t?[n("No connection yet"),"amber"]:e==="reconnecting"?Ai().lost:e==="joining"?[n("Connecting…"),"quiet"]:i?.stopped==="silent"?[n("Nothing arrives from {name}",i),"amber"]:i?[n("{name}’s picture has stopped",i),"amber"]:s?Ai()[s]:[n("Connected"),"good"]}function Bs({soundBlocked:e,sound:t,listen:s,interrupted:i}){return l`${e?l`<button type="button" class="btn main sound" @click=${s}>${t}</button>`:h}
    ${i?l`<p class="veil" role="status">
            ${n("Picture and sound are interrupted. Reconnecting by itself…")}
          </p>`:h}`}function Ii({party:e,role:t,live:s,seen:i,stream:o,muted:r,screen:a,resized:c,held:d,over:u,stopped:p}){let m=Ei(e,{role:t}),f=s&&e.present,g=f&&!r.video&&i,$=a?n("Screen of {name}",e):e.name;return l`<section
    class="tile other"
    aria-label=${e.name}
    ?data-picture=${g}
    ?data-stopped=${p!==null}>
    <video
      class="remote"
      autoplay
      playsinline
      @resize=${c}
      aria-label=${n("Picture of {name}",e)}
      .srcObject=${Z(o)}
      ${ot(T=>d(T??null))}></video>
    ${g?h:l`<div class="who">
            <span class="face large" aria-hidden="true">${mt(e.name)}</span>
            <p class="name">${f?l`<bdi>${e.name}</bdi>`:m.text}</p>
            <p class="chip ${f?"off":Rs[m.tone]}">
              ${f?Me(r):m.detail}
            </p>
            ${s&&!e.present?l`<p class="quiet small">
                    ${n("The session goes on when they are back. Nobody needs to press again for a short break.")}
                  </p>`:h}
          </div>`}
    ${s?l`<span class="tag"><span><bdi>${$}</bdi></span> ${r.audio?l`<span class="chip amber">${n("Microphone is off")}</span>`:h}</span>`:h}
    ${Vs(e.name,p)}${u}
  </section>`}function Vs(e,t){return t?l`<p class="veil">${Oi({name:e,stopped:t})}</p>`:h}function Me({video:e,missing:t,paused:s=!1}){return t.video?t.audio?n("No camera, no microphone"):n("No camera"):s?n("Picture paused: weak network"):e?n("Camera is off"):n("No picture yet")}function oa(e,t){return t?n("Muted"):e===null||e==="on"?null:e==="silent"?n("No sound"):n("No microphone")}var Us=e=>e!==null&&!["on","silent"].includes(e);function Di({link:e,live:t,started:s}){let{media:i,muted:o}=e,r=z(e.found,i),a=r.video==="on"&&!o.video,c=t?a?n("You"):null:s?n("You · sent when both have pressed"):n("You, as you will be seen · not sent yet"),d=r.video===null?n("Waiting for the camera. Your browser may ask you to allow it."):o.video?n("Camera is off"):r.video==="silent"?n("No picture from the camera"):Me({...o,missing:{audio:Us(r.audio),video:!0}}),u=!a&&Us(r.video)&&Us(r.audio)?null:oa(r.audio,o.audio);return l`<section class="tile self" aria-label=${n("You")} ?data-picture=${a}>
    <video
      muted
      .muted=${!0}
      autoplay
      playsinline
      aria-label=${n("Your own picture")}
      ?hidden=${!a}
      ?data-mirrored=${i?.mirrored}
      .srcObject=${Z(i?.preview??null)}></video>
    ${a?h:l`<p class="why">${d}</p>`}
    ${c||u?l`<span class="tag">${c?l`<span>${c}</span>`:h}${u?l`<span class="chip amber">${u}</span>`:h}</span>`:h}
  </section>`}function Pi({here:e,back:t}){return l`<div class="session" data-phase="elsewhere">
    <main id="main" tabindex="-1" class="floor">
      <section class="card stack">
        <h1 tabindex="-1" data-focus>${n("This session is open in another tab or device")}</h1>
        <p>${n("Picture and sound go there. Camera and microphone are off here.")}</p>
        <p class="row">
          <button type="button" class="btn main big" @click=${e}>${n("Use it here")}</button>${t}
        </p>
      </section>
    </main>
  </div>`}var ra={video:{frameRate:{ideal:10,max:15}},audio:!1},Gs=()=>!!navigator.mediaDevices?.getDisplayMedia,Ce=class{#t;#e;#s;#i;#n=null;#o=!1;#a=!1;#l=null;#r=!1;constructor({link:t,role:s,party:i,redraw:o}){this.#t=t,this.#e=s,this.#s=i,this.#i=o,t.addEventListener("change",()=>this.#m())}get on(){return this.#n!==null}async begin(){if(this.#o||this.#n||!Gs())return;this.#o=!0;let t;try{[t]=(await navigator.mediaDevices.getDisplayMedia(ra)).getVideoTracks();let s=t;if(s.contentHint="detail",s.addEventListener("ended",()=>this.#n===s&&this.end()),await this.#t.share("share"),s.readyState==="ended"||this.#t.screen.sharing!==this.#s)return s.stop(),this.#h();this.#n=s,await this.#t.show(s)}catch(s){t?.stop(),t&&b(k(s),{bad:!0})}finally{this.#o=!1,this.#i()}}async end(){await this.#d(),this.#h()}#h(){this.#t.share("end").catch(()=>{}),this.#i()}#c(t){this.#t.share(t).catch(s=>b(k(s),{bad:!0}))}async#d(){let t=this.#n;this.#n=null,t?.stop(),await this.#t.show(null)}follow({parties:t},s){this.#l=t.patient??null,this.#r=s,this.#m()}#m(){let{sharing:t,asked:s}=this.#t.screen;this.#n&&(t!==this.#s||!this.#r)&&(this.#d(),b(n("Your screen is no longer shared."))),this.#a&&!s&&t!=="patient"&&this.#e==="provider"&&this.#r&&this.#l&&b(n("{name} does not share the screen.",this.#l)),this.#a=s}close(){this.#n?.stop(),this.#n=null}get button(){return this.#e!=="provider"||!Gs()?null:this.on?{word:n("Stop sharing"),act:()=>this.end()}:{word:n("Share screen"),act:()=>this.begin()}}get entries(){let{sharing:t,asked:s}=this.#t.screen;return this.#e!=="provider"||!this.#l||s||t==="patient"?[]:[{words:n("Ask {name} to share the screen",this.#l),act:()=>this.#c("ask")}]}notice(t){let[s,i]=this.#p(t);return l`<div class="blocked notice" data-screen-notice ?data-empty=${!s}>
      <p role="status">${s}</p>
      ${i.length?l`<p class="row">${i}</p>`:h}
    </div>`}#p(t){let{sharing:s,asked:i}=this.#t.screen,o=(r,a,c=!1)=>l`<button type="button" class="btn ${c?"main":""}" @click=${a}>${r}</button>`;if(this.on)return[n("You share your screen."),[o(n("Stop sharing"),()=>this.end(),!0)]];if(i&&this.#e==="patient"&&t.provider){let r=()=>this.#c("decline");return Gs()?[n("{name} asks to see your screen. You choose what is shown, and can stop at any time.",t.provider),[o(n("Choose what to show"),()=>this.begin(),!0),o(n("Not now"),r)]]:[n("{name} asks to see your screen, but this browser cannot show it.",t.provider),[o(n("Tell {name}",t.provider),r)]]}return s&&t[s]?[n("{name} shares the screen.",t[s]),[]]:i&&this.#e==="provider"&&t.patient?[n("You asked {name} to share the screen.",t.patient),[]]:["",[]]}};var aa=w(()=>({interpreter:n("Interpreter"),family:n("Family"),specialist:n("Specialist"),trainee:n("Trainee")})),zs=["patient","provider"];function la(e){return e.relation?aa()[e.relation]??e.relation:""}function Rt(e,t){let s=i=>(zs.indexOf(i)+zs.length+1)%(zs.length+1);return Object.entries(e.parties).filter(([i])=>i!==t).sort(([i],[o])=>s(i)-s(o)||i.localeCompare(o))}function ca(e,{live:t,off:s}){return!e.present&&e.relation?[n("Not here"),!1]:e.present?e.started?t?[Me(s),!1]:[n("Has pressed Start Session"),!1]:[n("Has not pressed Start Session yet"),!1]:e.away_since_ms?[n("Away"),!0]:[n("On the way"),!1]}var Ne=class{#t;#e=new Set;constructor(t){this.#t=t}#s(t,s){this.#e.has(t)!==s.videoWidth>0&&(s.videoWidth>0?this.#e.add(t):this.#e.delete(t),this.#t())}view({others:t,link:s,live:i,opposite:o,stopped:r}){let a=s.media?.remotes??new Map,c=d=>a.get(d)??(d===o?a.get("remote"):null)??null;return x(t,([d])=>d,([d,u])=>this.#i(d,u,{stream:c(d),live:i,off:s.hiddenOf(d),screen:s.screen.sharing===d,speaks:s.speaker===d,stopped:r(d)}))}#i(t,s,{stream:i,live:o,off:r,screen:a,speaks:c,stopped:d}){let u=o&&s.present&&s.started,p=u&&i&&!r.video&&this.#e.has(t),[m,f]=ca(s,{live:o,off:r}),g=la(s),$=l`<bdi>${s.name}</bdi>${g?l` · ${g}`:h}`,T=a?n("Screen of {name}",s):$,y=u&&r.audio?l`<span class="chip amber">${n("Microphone is off")}</span>`:h;return l`<section
      class="tile other"
      aria-label=${c&&u?n("{name}, speaking",s):s.name}
      ?data-speaking=${c&&u}
      data-party=${t}
      ?data-screen=${a}
      ?data-picture=${p}
      ?data-stopped=${d!==null}>
      <video
        class="remote"
        autoplay
        playsinline
        @resize=${Gt=>this.#s(t,Gt.currentTarget)}
        aria-label=${n("Picture of {name}",s)}
        .srcObject=${Z(i)}></video>
      ${p?l`<span class="tag"><span>${T}</span>${y}</span>`:l`<div class="who">
              <span class="face large" aria-hidden="true">${mt(s.name)}</span>
              <p class="name">${$}</p>
              <p class="chip ${f?"amber":"off"}">${m}</p>
              ${y}
            </div>`}
      ${Vs(s.name,d)}
    </section>`}};function Ri({visit:e,me:t}){let{patient:s,provider:i}=e.parties;if(!t.started)return n("Nobody sees or hears you until you press Start Session.");if(e.status==="live")return n("You take part now.");let o=[s,i].filter(r=>r&&!r.started).map(({name:r})=>r);return o.length===1?n("You have pressed Start Session. It begins when {name} presses too.",{name:o[0]}):n("You have pressed Start Session. It begins when the patient and the clinician have both pressed.")}var Oe=class{#t=null;#e=new AbortController;hold(){document.addEventListener("visibilitychange",()=>this.#s(),{signal:this.#e.signal}),this.#s()}release(){this.#e.abort(),this.#t?.release().catch(()=>{}),this.#t=null}async#s(){if(!(document.hidden||!navigator.wakeLock))try{let t=await navigator.wakeLock.request("screen");this.#e.signal.aborted?await t.release():this.#t=t}catch{this.#t=null}}};var Wi={patient:"provider",provider:"patient",guest:"patient"},Le=class{#t;#e;#s;#i;#n;#o;#a;#l;#r;#h=null;#c;#d;#m=!1;#p=!1;#f;#g;#_=new Oe;#$=0;#k=new AbortController;#T="";#w=null;#u=null;#M;#S;#C=!1;#x=!1;constructor({client:t,visit:s,role:i,party:o=i,organisation:r,language:a,redraw:c,aside:d=()=>null,more:u=()=>[],back:p=null,left:m=null,patient:f=()=>null,asideOpens:g=!1}){this.#t=t,this.id=s,this.role=i,this.party=o,this.#M=new Ne(c),this.#S=m,this.#e=c,this.#s=r,this.#i=a,this.#n=new ge({client:t,visit:s,party:o,own:d,opens:g,redraw:c}),this.#o=u,this.#a=p,this.#l=f,this.#r=new Ee(t,s,o),this.#g=new Ce({link:this.#r,role:i,party:o,redraw:c}),this.#r.addEventListener("change",c),this.#d=new be(this.#r,c),ci(this.#r,()=>this.#b),this.#f=new $e({videos:()=>this.#u?.querySelectorAll("video.remote")??[],redraw:c}),this.#c=new we({link:this.#r,sound:this.#f,redraw:c}),this.#r.addEventListener("devices",()=>this.#O())}open(){let{signal:t}=this.#k;this.#r.open(),this.#n.start(),this.#$=setInterval(()=>this.#d.look(),500),document.addEventListener("fullscreenchange",this.#e,{signal:t}),this.#_.hold()}update(t){this.#h||(this.#p=t.parties[this.party].started),this.#h=t,this.#r.send(this.#b||this.#v.started),this.#b!==this.#x&&this.#d.restart(this.#b),this.#b&&!this.#x&&this.#O(),this.#n.follow(this.#b),this.#g.follow(t,this.#b);let s=()=>this.#x?this.#T:Ci(this.#r,Rt(t,this.party)),i=this.#b?s():Mi(this.#y);this.#x=this.#b,i!==this.#T&&E(i),this.#T=i}close(){this.#k.abort(),clearInterval(this.#$),this.#n.stop(),this.#g.close(),this.#r.close(),this.#_.release(),document.fullscreenElement&&document.exitFullscreen().catch(()=>{})}closeAside(){this.#n.show(null)}get title(){return this.#h?n("Session with {name}",this.#y):n("Your session")}get#b(){return this.#h?.status==="live"&&(this.role!=="guest"||this.#v.started)}get#A(){if(!this.#h)throw new Error("The visit's state has not come yet.");return this.#h}get#v(){return this.#A.parties[this.party]}get#y(){return this.#A.parties[Wi[this.role]]}async#N(){if(!this.#m){this.#m=!0,this.#e(),this.#f.press(),this.#r.send(!0);try{await this.#t.request({type:"visit.start",visit:this.id},{timeout_ms:3e4}),this.#p=!0}catch(t){!this.#b&&!this.#v.started&&this.#r.send(!1),b(`${k(t)} ${n("The session has not started; please press again.")}`,{bad:!0})}finally{this.#m=!1,this.#e()}}}#E=async(t,s)=>{if(this.#S)return this.#S();let i=s?await W(s):"yes";if(i){this.#p=!1;try{let{id:o}=this;t==="visit.end"?await this.#t.request({type:t,visit:o,by_phone:i==="also"}):await this.#t.request({type:t,visit:o})}catch(o){M(o)!=="wrong_status"&&b(Jn(o),{bad:!0})}}};#O(){setTimeout(()=>this.#b&&this.#f.listen())}#L(){let t=!!this.#w?.videoWidth;t!==this.#C&&(this.#C=t,this.#e())}#I(){document.fullscreenElement?document.exitFullscreen():this.#u?.requestFullscreen?this.#u.requestFullscreen().catch(()=>{}):this.#w?.webkitEnterFullscreen?.()}view(){if(!this.#h)return l`<main id="main" tabindex="-1" class="session"><h1>${n("Your session")}</h1></main>`;if(this.#r.path==="taken_over")return Pi({here:()=>this.#r.open(),back:this.#a?.()??h});let{open:t,current:s}=this.#n;return l`<div
      class="session"
      data-phase=${this.#b?"call":"lobby"}
      ?data-aside=${s!==null}
      ${ot(i=>{this.#u=i??null})}>
      ${li({home:this.#P(),title:this.title,since_ms:this.#b?this.#h.live_ms:null,quality:Li({path:this.#r.path,blocked:this.#r.blocked(this.party)!==null,words:this.#r.paused?"paused":this.#d.quality,standstill:this.#d.first(Rt(this.#h,this.party))}),asides:this.#n.named,open:t,show:i=>this.#n.show(i),entries:[...this.#o(),...this.#D()]})}
      <main id="main" tabindex="-1" class="floor">
        ${this.#R(this.#h)} ${this.#b?this.#g.notice(this.#h.parties):h}
        ${this.#W(this.#h)}
        ${this.#b?h:this.#q()}
      </main>
      ${this.#n.view(s)}
      <footer class="controls">
        ${this.#b?this.#H():pi({role:this.role,me:this.#v,pressing:this.#m,other:this.#y.name,start:()=>this.#N(),leave:this.#E})}
      </footer>
    </div>`}#D(){return this.#b?[...this.#g.entries,...this.#i.entries()]:mi(this.role,this.#v,this.#E)}#P(){let t=he(this.#s,this.#s.name);return this.#a?this.#a(this.#b?void 0:t):t}#R(t){let s=Rt(t,this.party).filter(([r,{present:a}])=>a&&this.#r.blocked(r)),i=this.#r.blocked(this.party),o=this.role==="provider"&&(i!==null||s.some(([r])=>r==="patient"));return Si({words:xi({role:this.role,own:i!==null,unable:i?i==="browser":s.every(([r])=>this.#r.blocked(r)==="browser"),others:s.map(([,{name:r}])=>r),phone:this.#l()?.phone_shown??null}),call:o?this.#l():null})}#W(t){let s=Rt(t,this.party),i=Wi[this.role],o=this.#b,r=Di({link:this.#r,live:o,started:this.#v.started}),a=u=>this.#d.of(u,t.parties[u]),c={soundBlocked:o&&this.#f.blocked,listen:()=>this.#f.press(),interrupted:o&&this.#r.path==="reconnecting"};if(s.length>1)return l`<div class="tiles many" data-count=${s.length}>
        ${this.#M.view({others:s,link:this.#r,live:o,opposite:i,stopped:a})}${r}
        ${Bs({...c,sound:n("Press to hear everybody")})}
      </div>`;let d=Ii({party:this.#y,role:this.role,live:o,seen:this.#C,stream:this.#r.media?.remote??null,muted:this.#r.hiddenOf(i),screen:o&&this.#r.screen.sharing===i,resized:()=>this.#L(),held:u=>{this.#w=u},over:Bs({...c,sound:n("Press to hear {name}",this.#y)}),stopped:a(i)});return l`<div class="tiles">${d}${r}</div>`}#q(){let{found:t,media:s,path:i}=this.#r;return l`<div class="prepare">
      ${bi({found:z(t,s),again:()=>this.#r.prepare()})}
      <p class="promise" role="status">
        ${this.role==="guest"?Ri({visit:this.#A,me:this.#v}):Ni({me:this.#v,other:this.#y,path:i,cleared:this.#p})}
      </p>
      ${this.#n.way()}
      ${this.#c.view()}
      ${this.#i.view()}
    </div>`}#H(){return fi({role:this.role,link:this.#r,other:this.#y.name,full:!!document.fullscreenElement,canFull:!!(document.fullscreenEnabled||this.#w?.webkitEnterFullscreen),toggleFull:()=>this.#I(),screen:this.#g.button,devices:()=>this.#c.view(),leave:this.#E})}};var qi={mail:{sent:e=>n("Email sent at {time}",{time:e}),retried:()=>n("The email has not left yet; it is tried again"),failed:()=>n("The email could not be sent")},text:{sent:e=>n("Text message sent at {time}",{time:e}),retried:()=>n("The text message has not left yet; it is tried again"),failed:()=>n("The text message could not be sent")},push:{sent:e=>n("Notification sent at {time}",{time:e}),retried:()=>n("The notification has not left yet; it is tried again"),failed:()=>n("The notification could not be sent")}},Ie=({channel:e,state:t,at_ms:s})=>qi[e]?.[t]?.(O(s))??"";function Hi(e,t){let[s,i]=e.split(" ");return qi[s]?.[i]?.(O(t))??e}function Yi(e,t){let s=new Set;return e.filter(({id:i,only_if:o})=>{let r=!o||s.has(o.step)&&t(o.step)===o.answer;return r&&s.add(i),r})}async function da(e,t){let s;try{let i=await fetch(e,{method:"POST",body:t});if(i.status===204)return!0;s=(await i.json()).problem}catch{}return b(s??n("That did not work. Nothing was changed; please try again."),{bad:!0}),!1}async function ji({path:e}){await W({title:n("Remove this photo?"),text:n("It is erased for everybody, and cannot be brought back."),yes:n("Remove"),no:n("Keep it"),danger:!0})&&await da(`${e}/remove`,null)&&E(n("The photo was removed."))}function Fi(e,t){return l`<ul role="list" class="photos">
    ${x(e,({id:s})=>s,(s,i)=>{let o=i+1;return l`<li>
          <a href=${At(s.path)} target="_blank" rel="noopener"
            ><img
              src=${At(s.path)}
              width=${s.width}
              height=${s.height}
              alt=${s.text?n("Photo {n}: {text}",{n:o,text:s.text}):n("Photo {n}",{n:o})}
          /></a>
          ${s.text?l`<p class="small" dir="auto" aria-hidden="true">${s.text}</p>`:h}
          ${t?l`<button
                  type="button"
                  class="btn plain"
                  aria-label=${n("Remove photo {n}",{n:o})}
                  @click=${()=>t(s)}>
                  ${n("Remove")}
                </button>`:h}
        </li>`})}
  </ul>`}var Ui=w(()=>({camera:n("Camera"),microphone:n("Microphone"),speaker:n("Speaker"),network:n("Network")})),ua=w(()=>({on:n("works"),good:n("good"),fair:n("fair"),poor:n("poor"),"not heard":n("not heard"),denied:n("not allowed"),system:n("not allowed"),silent:n("switched off"),missing:n("none"),busy:n("in use elsewhere"),insecure:n("not allowed"),unsupported:n("not in this browser"),failed:n("does not work"),blocked:n("blocks video")})),ma={text:e=>e||null,choice:e=>e||null,yes_no:e=>e===!0?n("Yes"):e===!1?n("No"):null,date:e=>e?Ds(e):null,consent:e=>{if(!e?.agreed)return null;if(!e.signature)return n("Agreed, not signed yet");let t=n("Agreed, signed “{name}”",{name:e.signature});return e.language?`${t} · ${n("read in {language}",{language:It(e.language)})}`:t},device_check:e=>{let t=Object.entries(e??{}).filter(([s])=>Ui()[s]);return t.length?t.map(([s,i])=>`${Ui()[s]}: ${ua()[i]??i}`).join(" · "):null}};function pa(e,t){let s=ma[e.kind];return t==null?null:s?.(t)??null}var De=e=>e?l`<bdi>${e}</bdi>`:null;function K(e,t,s=""){return t?l`<div class=${s}>
        <dt>${e}</dt>
        <dd>${t}</dd>
      </div>`:h}function fa(e,t){let s=pa(e,t.answers[e.id]),i=t.typing===e.id;return l`<div class=${i?"typing":""} data-step=${e.id}>
    <dt><bdi>${e.title}</bdi>${i?l` <span class="now">${n("being filled in")}</span>`:h}</dt>
    <dd dir="auto" class=${s?"":"quiet"}>${s??(i?"…":t.guide_done?n("not answered"):n("not yet"))}</dd>
  </div>`}function gt(e,t,s=null){if(!e)return l`<p class="quiet">${n("Opening Case Information…")}</p>`;let{patient:i}=e,o=ii(i.birth_date,t),r=Yi(e.steps,a=>e.answers[a]);return l`<dl class="case">
      ${K(n("Patient"),De(i.name))} ${K(n("Reason"),De(i.reason))}
      ${K(n("Date of birth"),l`${Ds(i.birth_date)}${o===null?h:l` <span class="quiet">(${A("{n} year","{n} years",o)})</span>`}`)}
      ${K(n("Region"),F(i.state))}
      ${K(n("Phone"),i.phone&&l`<a href=${pe(i.phone)} dir="ltr">${i.phone_shown||i.phone}</a>`)}
      ${K(n("Email"),De(i.email))} ${K(n("Language"),It(i.language))}
      ${K(n("Filled in by"),De(i.filled_in_by))}
      ${K(n("Written to, as they were away"),(e.contacts??[]).map(Ie).join(" · "))}
    </dl>
    ${e.photos.length?l`<h3 class="of-case">${n("Photos")}</h3>
            ${Fi(e.photos,s)}`:h}
    <h3 class="of-case">
      ${n("Setup guide")}
      <span class="quiet num"
        >${e.guide_done?n("· complete"):n("· step {step} of {steps}",{step:Math.min(e.step||1,r.length),steps:r.length})}</span
      >
    </h3>
    <dl class="case">
      ${x(r,a=>a.id,a=>fa(a,e))}
    </dl>`}var Bi="greenroom.v1.json";function Vi(e){let t=new URL(e,globalThis.location?.href);return t.protocol=t.protocol.replace(/^http/,"ws"),t.href}function Gi(e){let t=globalThis.earlySocket;return globalThis.earlySocket=null,t?.url===e&&t.readyState<=1?t:null}async function zi(e,t){let s=AbortSignal.timeout(t);return(await fetch(e.replace(/^ws/,"http"),{cache:"no-store",signal:s}).catch(()=>null))?.status===426}var Pe=class{#t=0;#e=0;now(){return Date.now()+this.#t}set(t){this.#t=t-Date.now()}pinged(){this.#e=Date.now()}ponged(t){!(Math.abs(Date.now()-this.#e)>1e3)&&Math.abs(t-this.now())>1e3&&this.set(t)}};var Re=class{handlers=new Set;epoch=null;version=-1;early=[];#t;constructor(t={}){this.#t=t}get asked(){let t=this.epoch===null?{}:{epoch:this.epoch,version:this.version};return{...this.#t,...t}}accept(t){if("epoch"in t){if(!t.type.endsWith(".snapshot")&&t.epoch===this.epoch&&t.version<=this.version)return[];this.epoch=t.epoch,this.version=t.version;let i=this.early.filter(o=>o.version>t.version);return this.early=[],[t,...i.flatMap(o=>this.accept(o))]}return this.epoch===null?(this.early=[...this.early,t].slice(-256),[]):t.version<=this.version?[]:(this.version=t.version,[t])}forget(){this.epoch=null,this.version=-1,this.early=[]}};var ga=6e4,Ki={first:500,most:15e3},ba=2e3,$a=2e4,wa=8e3,Ji=1e4,va=200,ya=4200,Qi=2,Zi=new Set(["subscribe","unsubscribe","visit.save","visit.enter","visit.start","visit.finish","on_call","media.mute","media.share"]),_a=EventTarget,We=class extends _a{#t;#e;#s;#i=null;#n=1;#o=new Map;#a=new Map;#l=null;#r=0;#h=0;#c=0;#d=!1;#m={retry:0,ping:0,pong:0,open:0};#p=new Pe;#f=!1;constructor(t,{role:s,timeout_ms:i=1e4}){super(),this.#t=Vi(t),this.#e=s,this.#s=i,this.status="closed",this.me=null,this.visit=null}now(){return this.#p.now()}connect(){this.#f=!1,this.#i||this.#_()}wake({moved:t=!1}={}){this.#f||this.status==="closed"||(this.status==="open"?(this.#C(2500),t&&this.dispatchEvent(new CustomEvent("moved"))):(this.status==="retrying"||t)&&this.#_())}bye(){this.#f=!0,this.status==="open"&&this.#v({type:"bye",id:this.#n++}),this.#A(),this.#l=null,this.#S(()=>!0,new L("closed","The connection was closed.")),this.#y("closed",{code:1e3})}request(t,{timeout_ms:s=this.#s}={}){return new Promise((i,o)=>{let r=Zi.has(t.type);if(this.status!=="open"&&!r||this.#o.size>=va)return o(new L("offline","Not connected. Nothing was changed."));if(this.status==="closed")return o(new L("closed","The connection was closed."));let a=this.#n++,c=setTimeout(()=>{this.#o.delete(a),o(new L("timeout","The server did not answer in time."))},s),d={message:{...t,id:a},resolve:i,reject:o,timer:c};this.#o.set(a,d),this.status==="open"&&this.#v(d.message)})}subscribe(t,s,i=()=>{},o={}){let r=this.#a.get(t)??new Re(o);this.#a.set(t,r);let a={handler:s,refused:i};return r.handlers.add(a),r.forget(),this.status==="open"&&this.#g(t,r),()=>{r.handlers.delete(a),!(r.handlers.size||this.#a.get(t)!==r)&&(this.#a.delete(t),this.status==="open"&&this.request({type:"unsubscribe",topic:t}).catch(()=>{}))}}#g(t,s){this.request({type:"subscribe",topic:t,...s.asked}).catch(i=>{if(this.#a.get(t)===s){if(i.code==="unavailable"||i.code==="timeout")setTimeout(()=>this.status==="open"&&this.#a.get(t)===s&&this.#g(t,s),this.#E(2e3));else if(!["closed","offline"].includes(i.code))for(let o of s.handlers)o.refused(i)}})}#_(){this.#A(),this.#y("connecting");let t=Gi(this.#t)??new WebSocket(this.#t,Bi);this.#i=t,this.#c+=1,this.#m.open=setTimeout(()=>this.#x(t,1006),Ji),t.onopen=()=>this.#$(),t.readyState===1&&this.#$(),t.onmessage=s=>this.#i===t&&this.#w(JSON.parse(s.data)),t.onclose=s=>this.#x(t,s.code)}#$(){this.#c=0,this.#d=!1,this.#k()}#k(){let t={type:"hello",id:this.#n++,role:this.#e};this.#l&&Date.now()-this.#r<ga&&(t.resume=this.#l),this.#v(t)}#T(t){clearTimeout(this.#m.open),this.#h=0,this.#l=t.resume,this.#p.set(t.server_ms),this.me=t.me,this.visit=t.visit;for(let[s,i]of this.#o)(i.message.type==="subscribe"||i.message.type==="unsubscribe")&&(clearTimeout(i.timer),this.#o.delete(s),i.reject(new L("offline","Asked again on the new socket.")));this.status="open";for(let s of this.#o.values())this.#v(s.message);for(let[s,i]of this.#a)i.early=[],this.#g(s,i);this.#m.ping=setInterval(()=>this.#C(wa),$a),this.dispatchEvent(new CustomEvent("welcome",{detail:t})),this.#y("open")}#w(t){if(clearTimeout(this.#m.pong),this.#m.pong=0,t.type==="pong"&&this.#p.ponged(t.server_ms),t.type==="welcome")return this.#T(t);if(t.type==="gone")return this.#u(t.topic);if("topic"in t&&!("reply_to"in t)){let i=this.#a.get(t.topic);if(!i)return;for(let o of i.accept(t))for(let r of[...i.handlers])r.handler(o);return}if(!("reply_to"in t)){this.dispatchEvent(new CustomEvent(t.type,{detail:t}));return}let s=this.#o.get(t.reply_to??-1);t.type!=="error"?this.#M(t.reply_to,()=>s?.resolve(t)):t.code.startsWith("resume_")?(this.#l=null,this.#k()):s?this.#M(s.message.id,()=>s.reject(new L(t.code,t.text,t.details))):this.status!=="open"&&this.dispatchEvent(new CustomEvent("refused",{detail:t}))}#u(t){let s=this.#a.get(t);if(!s)return;s.forget();let i=new L("not_found","There is no such visit here.");for(let o of[...s.handlers])o.refused(i)}#M(t,s){let i=this.#o.get(t);i&&(clearTimeout(i.timer),this.#o.delete(t),s())}#S(t,s){for(let[i,o]of this.#o)t(o.message)&&this.#M(i,()=>o.reject(s))}#C(t){let s=this.#i;this.#m.pong||this.status!=="open"||!s||(this.#p.pinged(),this.#v({type:"ping",id:this.#n++}),this.#m.pong=setTimeout(()=>this.#x(s,1006),t))}#x(t,s){if(this.#i!==t)return;let i=this.status==="open";if(this.#A(),i&&(this.#r=Date.now()),this.#f)return;if(s>=ya||s===1e3){this.#l=null,this.#S(()=>!0,new L("closed","The connection was closed.")),this.#y("closed",{code:s});return}let o=new L("timeout","The connection was lost before an answer came.");this.#S(c=>!Zi.has(c.type),o);let r=Math.min(Ki.most,Ki.first*2**this.#h++),a=s===1001?this.#E(ba):r/2+this.#E(r/2);this.#m.retry=setTimeout(()=>this.#_(),a),this.#y("retrying",{code:s,retry_at_ms:Date.now()+a}),this.#c>=Qi&&!this.#d&&this.#b()}async#b(){let t=await zi(this.#t,Ji);this.#d=t&&this.#c>=Qi,this.#d&&!this.#f&&this.#y(this.status)}#A(){let t=this.#i;this.#i=null;let{retry:s,ping:i,pong:o,open:r}=this.#m;for(let a of[s,o,r])clearTimeout(a);clearInterval(i),this.#m.pong=0,t&&(t.onopen=t.onmessage=t.onclose=null,t.close())}#v(t){this.#i?.readyState===1&&this.#i.send(JSON.stringify(t))}#y(t,s={}){this.status=t,this.dispatchEvent(new CustomEvent("status",{detail:{status:t,...this.#N(),...s}}))}#N(){return this.#d?{blocked:!0}:{}}#E(t){return Math.random()*t}};var Xi=()=>Date.now(),He=new Set,qe=0;function to(e){Xi=e}function ka(){for(let e of He)e.tick()}var Ye=class extends HTMLElement{static observedAttributes=["since"];connectedCallback(){this.classList.add("num"),this.translate=!1,He.add(this),qe||(qe=setInterval(ka,1e3)),this.tick()}disconnectedCallback(){He.delete(this),!He.size&&(clearInterval(qe),qe=0)}attributeChangedCallback(){this.isConnected&&this.tick()}get elapsed_ms(){return Xi()-Number(this.getAttribute("since"))}tick(){let t=ni(this.elapsed_ms);this.textContent!==t&&this.replaceChildren(t)}},Ks=class extends Ye{static observedAttributes=["since","amber","red"];tick(){super.tick();let t=this.elapsed_ms,s=["red","amber"].find(i=>t>=Number(this.getAttribute(i)??1/0))??"calm";this.dataset.level!==s&&(this.dataset.level=s)}};customElements.define("since-clock",Ye);customElements.define("wait-clock",Ks);var je=class{#t;#e;#s=document.documentElement.lang;constructor(t,s){this.#t=t,this.#e=s}view(){return this.#t.length<2?h:l`<nav class="languages" aria-label=${n("Language")}>
      ${this.#t.map(t=>l`<a
            href="?lang=${t.code}"
            lang=${t.code}
            dir=${t.dir}
            translate="no"
            hreflang=${t.code}
            aria-current=${t.code===this.#s?"true":h}
            @click=${s=>this.#i(s,t)}
            >${t.name}</a>`)}
    </nav>`}entries(){return this.#t.filter(({code:t})=>t!==this.#s).map(t=>({words:t.name,lang:t.code,act:()=>this.#n(t)}))}#i(t,s){t.metaKey||t.ctrlKey||t.shiftKey||t.button||(t.preventDefault(),this.#n(s))}async#n({code:t,words:s,dir:i}){try{In(...s?(await import(s)).default:[])}catch{return b(n("Not connected. Nothing was changed."),{bad:!0})}this.#s=document.documentElement.lang=t,document.documentElement.dir=i;let o=document.querySelector(".skip");o&&(o.textContent=n("Skip to the page’s content")),document.dispatchEvent(new Event("language")),this.#e();try{let r=oi(t)?"GET":"HEAD",a=await fetch(`${location.pathname}?lang=${t}`,{method:r});if(r==="HEAD"||!a.ok)return;ri(await a.text()),this.#e()}catch{}}};function eo(e){let t=Date.now();return setInterval(()=>{let s=t;t=Date.now(),t-s>5e3&&e()},1e3)}var Fe=class{root=R("#app",HTMLElement);#t="";constructor(t,s){this.boot=ht(),this.client=new We(this.boot.ws,{role:t}),this.redraw=Yn(()=>this.#s(s)),this.connection=Ta(this.client,this.redraw),this.language=new je(this.boot.languages,this.redraw)}begin(){Rn(),Wn(),to(()=>this.client.now()),this.root.replaceChildren(),this.redraw(),this.client.connect()}show(t,{key:s,title:i}){if(D(t,this.root),this.#e(),document.title=`${i} · ${this.boot.organisation.name}`,s===this.#t)return!1;let o=this.#t===""||this.#t==="loading";return this.#t=s,o||(qn(),scrollTo(0,0),this.#i()),!0}#e(){let s=[...this.root.children].map(o=>o.matches(".parked:not([hidden])")?o.firstElementChild:o).find(o=>o?.matches(".session")),{dataset:i}=document.documentElement;s?i.session=s.dataset.phase:delete i.session}#s(t){let s=this.root.contains(document.activeElement);t(),s&&!this.root.contains(document.activeElement)&&!document.querySelector("dialog[open]")&&this.#i()}#i(){this.root.querySelector("[data-focus]:not([hidden] *)")?.focus({preventScroll:!0})}};function Ta(e,t){let s={status:"connecting",code:null,slow:!1,blocked:!1};e.addEventListener("status",({detail:r})=>{s.slow=r.status==="open"?!1:s.slow||r.status==="retrying",s.status=r.status,s.code=r.code??null,s.blocked=r.blocked??!1,t()});let i=()=>document.visibilityState==="visible"&&e.wake();document.addEventListener("visibilitychange",i);let o=()=>e.wake({moved:!0});return addEventListener("online",o),eo(o),addEventListener("pageshow",i),s}function bt({states:e},{state:t}){return!e?.length||!t||e.includes(t)}var so=()=>n("not licensed there");var no={interpreter:()=>n("Interpreter"),family:()=>n("Family or carer"),specialist:()=>n("Specialist"),trainee:()=>n("Trainee")};function io({staff:e,sessions:t},{but:s,state:i}){return[...e.values()].filter(o=>o.on_call&&o.id!==s).map(o=>({...o,count:t.of(o.id).length,licensed:i===void 0||bt(o,{state:i})})).sort((o,r)=>Number(r.licensed)-Number(o.licensed)||Number(o.in_session)-Number(r.in_session)||o.count-r.count||o.name.localeCompare(r.name))}var xa=8;function Sa({currentTarget:e}){let t=e.value.trim().toLocaleLowerCase(),s=e.form?.querySelectorAll(".choice")??[];for(let i of s){let o=i.querySelector("input")?.checked;i.hidden=!o&&!(i.dataset.name??"").toLocaleLowerCase().includes(t)}}function Aa(e){return e.in_session?n("in a session"):e.count?n("{n} claimed",{n:e.count}):n("free")}function oo({title:e,text:t,yes:s,people:i}){return i.length?j({title:e,text:t,yes:s,no:n("Cancel"),fields:l`${i.length<xa?h:l`<div class="field">
            <label for="colleague-search">${n("Search by name")}</label
            ><input
              class="input"
              id="colleague-search"
              type="search"
              autocomplete="off"
              @input=${Sa} />
          </div>`}
      <fieldset class="choices">
        <legend class="sr">${n("To whom?")}</legend>
        ${i.map((o,r)=>l` <label class="choice" data-name=${o.name}
              ><input type="radio" name="to" value=${o.id} ?checked=${r===0} required /><span
                ><bdi>${o.name}</bdi> <span class="quiet">${Aa(o)}</span> ${o.licensed?h:l`<b class="unlicensed">· ${so()}</b>`}</span></label>`)}
      </fieldset>`}):j({title:e,text:n("Nobody else is on call right now."),fields:h,yes:null,no:n("Close")})}function ro(e,t){return oo({title:n("Assign {name}",{name:e.name}),text:n("They are notified and claim it from their own list. If they do not claim it in time, everybody can."),yes:n("Assign"),people:io(t,{but:e.assignee?.id,state:e.state})})}function ao(e,t,s){return oo({title:n("Hand {name} over",{name:e}),text:n("The patient goes back to their place in line and is told so; your colleague is notified and claims."),yes:n("Hand over"),people:io(s,{but:t,state:void 0})})}function Ea(e){return e?n("The patient is told on the screen at once and by email, with the reason if you give one."):n("The patient is told on the screen at once, with the reason if you give one. No email is sent.")}function lo(e,t){return j({title:n("Decline {name}?",{name:e.name}),danger:!0,yes:n("Decline"),no:n("Keep in line"),text:Ea(t),fields:l`<div class="field">
      <label for="decline-reason"
        >${n("Reason for the patient")} <span class="optional">${n("(optional)")}</span></label>
      <textarea class="input" id="decline-reason" name="reason" rows="3" maxlength="1000"></textarea>
    </div>`})}function co(){return j({title:n("Invite a guest"),yes:n("Make the link"),no:n("Cancel"),text:n("A one-time link, to be used soon. Everybody sees the guest by this name."),fields:l`<div class="field">
        <label for="guest-name">${n("Name")}</label
        ><input class="input" id="guest-name" name="name" maxlength="100" required autocomplete="off" />
      </div>
      <div class="field">
        <label for="guest-relation">${n("Who they are")}</label
        ><select class="input" id="guest-relation" name="relation">
          ${Object.entries(no).map(([e,t])=>l`<option value=${e}>${t()}</option>`)}
        </select>
      </div>`})}function ho(e){return no[e]?.()??""}function uo(e,t){let s=[...Object.entries(t),["",n("No area")]].filter(([i])=>i!==(e.area?.id??""));return j({title:n("Move {name} to another waiting area",{name:e.name}),text:n("The patient keeps the time that they have waited, and is told where they wait now."),yes:n("Move"),no:n("Cancel"),fields:l`<fieldset class="choices">
      <legend class="sr">${n("Waiting area")}</legend>
      ${s.map(([i,o],r)=>l`<label class="choice"
            ><input type="radio" name="area" value=${i} ?checked=${r===0} required /><span
              ><bdi>${o}</bdi></span></label>`)}
    </fieldset>`})}function Ma(e,t){return{title:n("Go off call as the last one?"),text:A("{n} person is waiting, and nobody else is on call. They keep their place, and read that nobody is on call.","{n} people are waiting, and nobody else is on call. They keep their place, and read that nobody is on call.",e),yes:n("Go off call"),...t?{also:n("Go off call and close the line")}:{},no:n("Stay on call")}}async function Js(e,t){for(let{visit:s}of t)await e.request({type:"visit.close",visit:s}).catch(i=>{if(M(i)!=="wrong_status")throw i});b(n("The line is closed, and those who waited are told so."))}var Ue=class{switching=!1;#t;#e;#s;#i;#n;constructor({client:t,news:s,alerts:i,redraw:o,turnedOn:r=()=>{}}){this.#t=t,this.#e=s,this.#s=i,this.#i=o,this.#n=r}get on(){return this.#e.onCall}async turn(){if(this.switching)return;let t=!this.on,{left:s,mayClose:i}=this.#e,o=t||!s.length?"yes":await W(Ma(s.length,i));if(!o)return this.#i();this.switching=!0,this.#s.unlock(),t?(this.#s.askToNotify(),this.#n()):this.#s.hush(),this.#i();try{await this.#t.request({type:"on_call",on:t}),E(t?n("You are on call."):n("You are off call.")),o==="also"&&await Js(this.#t,s)}catch(r){b(`${k(r)} ${t?n("You are still off call."):n("You are still on call.")}`,{bad:!0})}finally{this.switching=!1,this.#i()}}};var Qs=e=>`${e.visit}/${e.returned}`,Be=class{rows=[];staff=new Map;limits={amber_ms:1/0,red_ms:1/0,urgent_first:!1,alert_waiting:0,alert_wait_ms:0,level_words:{},closing:{}};loaded=!1;#t=new Set;leftBy(t){return[...this.staff.values()].some(({id:i,on_call:o})=>o&&i!==t)?[]:this.rows}take(t){switch(t.type){case"queue.snapshot":return this.#e(t);case"queue.row":return this.#s(t);case"queue.gone":return this.#i(t);case"queue.changed":return this.limits=t.limits,this.#n(this.rows),{fresh:[],gone:null};case"queue.staff":return this.staff=new Map(this.staff).set(t.staff.id,t.staff),{fresh:[],gone:null};default:return{fresh:[],gone:null}}}#e(t){let s=this.loaded?t.rows.filter(i=>!this.#t.has(Qs(i))):[];this.limits=t.limits,this.#n(t.rows),this.staff=new Map(t.staff.map(i=>[i.id,i])),this.loaded=!0;for(let i of t.rows)this.#o(i);return{fresh:s,gone:null}}#s({row:t,fresh:s}){let i=this.#t.has(Qs(t));this.#o(t);let o=this.rows.find(({visit:a})=>a===t.visit),r={...t,arriving:o?o.arriving:!0};return o&&Wt(o,t,this.limits)===0?this.rows=this.rows.map(a=>a===o?r:a):this.#n([...this.rows.filter(a=>a!==o),r]),{fresh:s&&!i?[t]:[],gone:null}}#i(t){let s=this.rows.find(({visit:i})=>i===t.visit);return this.rows=this.rows.filter(({visit:i})=>i!==t.visit),{fresh:[],gone:s?{...t,name:s.name}:null}}#n(t){this.rows=[...t].sort((s,i)=>Wt(s,i,this.limits))}#o(t){if(this.#t.add(Qs(t)),this.#t.size<=2e3)return;let[s]=this.#t;this.#t.delete(s)}},J=["emergency","urgent","routine"],qt=({urgency:e})=>e?.level??"routine";function Wt(e,t,{urgent_first:s}){let i=o=>s?J.indexOf(qt(o)):0;return i(e)-i(t)||e.number-t.number||e.arrived_ms-t.arrived_ms||(e.visit<t.visit?-1:+(e.visit>t.visit))}var Ca=[{tone:"red",loss:8,rtt_ms:500,lossy:e=>n("Much loss: {loss} %",e),slow:()=>n("Very slow")},{tone:"amber",loss:2,rtt_ms:250,lossy:e=>n("Some loss: {loss} %",e),slow:()=>n("Slow")}],Zs=e=>new Intl.NumberFormat(rt(),{maximumFractionDigits:e<10?1:0}).format(e);function Na(e){let t=Math.max(e.heard_lost?.usual??0,e.sent_lost?.usual??0);for(let{tone:s,lossy:i,slow:o,...r}of Ca){if(t>=r.loss)return[i({loss:Zs(t)}),s];if((e.round_trip_ms?.usual??0)>=r.rtt_ms)return[o(),s]}return e.heard_lost||e.round_trip_ms?[n("Good"),""]:[n("Not measured"),"off"]}function Oa(e){let t=(s,i)=>s?i({usual:Zs(s.usual),worse:Zs(s.worse)}):null;return[n("Connected: {time}",{time:X(e.connected_ms)}),t(e.heard_lost,s=>n("lost on the way to them: {usual} %, at times {worse} %",s)),t(e.sent_lost,s=>n("lost on the way from them: {usual} %, at times {worse} %",s)),t(e.round_trip_ms,s=>n("round trip: {usual} ms, at times {worse} ms",s)),t(e.picture_kbps,s=>n("picture: {usual} kbit/s, at times {worse} kbit/s",s)),e.interruptions?A("{n} interruption","{n} interruptions",e.interruptions):null].filter(Boolean)}function mo(e){return e?.length?l`<h3 class="of-case" id="calls-title">${n("Quality of the call")}</h3>
    <ul role="list" class="story" aria-labelledby="calls-title">
      ${e.map(t=>{let[s,i]=Na(t);return l`<li>
          <span><b><bdi>${t.name}</bdi></b><br /><span class="chip ${i}">${s}</span></span>
          <span class="num quiet small">${Oa(t).join(" · ")}</span>
        </li>`})}
    </ul>`:h}var La=w(()=>({emergency:n("Emergency"),urgent:n("Urgent"),routine:n("Routine")})),Ia={emergency:"red",urgent:"amber",routine:"off"},$t=(e,{level_words:t})=>t?.[e]||La()[e];function Da({by:e,answer:t}){return e?n("set by {name}",e):n("answered “{answer}”",{answer:t})}function po({urgency:e},t){return e?l`<span class="chip ${Ia[e.level]}"
      >${$t(e.level,t)}<span class="sr">:</span></span>
    <span class="small why"><bdi>${Da(e)}</bdi></span>`:h}function fo(e,t){let s=qt(e);return j({title:n("How urgent is {name}?",{name:e.name}),text:t.urgent_first?n("More urgent patients come first in the list. Your name is shown with the level."):n("Shown to your colleagues with your name. The order of the list stays that of the wait."),yes:n("Set"),no:n("Cancel"),fields:l`<fieldset class="choices">
      <legend class="sr">${n("Urgency")}</legend>
      ${J.map(i=>l`<label class="choice"
            ><input type="radio" name="level" value=${i} ?checked=${i===s} required /><span
              >${$t(i,t)}</span></label>`)}
    </fieldset>`})}var Pa={opened:e=>n("{by} entered the setup guide.",{by:e}),guide_finished:e=>n("{by} finished the setup guide.",{by:e}),photo_added:e=>n("{by} added a photo.",{by:e}),photo_removed:e=>n("{by} removed a photo.",{by:e}),assigned:e=>n("{by} assigned it.",{by:e}),urgency_set:e=>n("{by} set how urgent it is.",{by:e}),moved:e=>n("{by} moved it to another waiting area.",{by:e}),unassigned:e=>n("{by} took the assignment back.",{by:e}),assignment_lapsed:()=>n("The assignment was not taken up in time."),claimed:e=>n("{by} claimed it.",{by:e}),started:e=>n("{by} pressed Start Session.",{by:e}),went_live:e=>n("{by} pressed Start Session too: the session began.",{by:e}),guest_started:e=>n("{by} joined the session.",{by:e}),paused:()=>n("The session paused: somebody was away for too long."),hung_up:e=>n("{by} left the call.",{by:e}),invited:e=>n("{by} invited a guest.",{by:e}),dismissed:e=>n("{by} sent a guest away.",{by:e}),released:e=>n("{by} returned it to the queue.",{by:e}),returned:()=>n("It returned to the queue: the provider was away for too long."),transferred:e=>n("{by} handed it over.",{by:e}),ended:e=>n("{by} ended the session.",{by:e}),declined:e=>n("{by} declined the request.",{by:e}),contact_agreed:e=>n("{by} chose how to be told of their turn.",{by:e}),contacted:()=>n("The patient was away and was written to."),escalated:()=>n("Nobody had claimed it: staff without an open page were written to."),not_reached:()=>n("The message to a member of staff could not be delivered."),withdrawn:e=>n("{by} left.",{by:e}),patient_done:e=>n("{by} left the call and was done.",{by:e}),expired:()=>n("It expired."),closed:()=>n("The clinic closed before anybody claimed it."),reopened:e=>n("{by} reopened it.",{by:e}),tagged:e=>n("{by} set the tags.",{by:e}),surveyed:e=>n("{by} answered the survey.",{by:e})};function Ra(e){let t=o=>e.find(r=>r.kind===o)?.at_ms,[s,i]=[t("opened"),t("claimed")];return s&&i?l`<p class="quiet">${n("Waited {time} until the claim.",{time:X(i-s)})}</p>`:h}function Wa({kind:e,note:t,at_ms:s}){if(e==="contact_agreed")return h;if(e==="contacted"&&t)return l` <span class="quiet">${Hi(t,s)}</span>`;let i=e==="urgency_set"?J.find(o=>o===t):void 0;return dt(i?$t(i,{level_words:{}}):t)}function go(e,{now_ms:t,close:s}){let i=e.info?.patient.name??n("Visit");return l`<h2 id="story-title"><bdi>${i}</bdi></h2>
    ${e.refused?l`<p class="quiet">${e.refused}</p>`:gt(e.info,t)}
    <h3 class="of-case">${n("History")}</h3>
    ${e.events===null?l`<p class="quiet">${n("Opening the history…")}</p>`:l`${Ra(e.events)}
            <ol class="story">
              ${e.events.map(o=>l`<li>
                    <span class="num quiet small">${ut(o.at_ms)}</span>
                    <span
                      >${(Pa[o.kind]??(()=>o.kind))(o.by?.name??n("The server"))}${Wa(o)}</span
                    >
                  </li>`)}
            </ol>
            ${mo(e.calls)}`}
    <div class="row"><button type="button" class="btn main" @click=${s}>${n("Close")}</button></div>`}function Ve(e,t,s){return!e.length&&!t?h:l`<div class="row tags">
    ${e.map(i=>l`<span class="chip off">${i}</span>`)}
    ${t?l`<button type="button" class="btn plain" @click=${t}>
            ${n("Tags…")}<span class="sr"> ${s}</span>
          </button>`:h}
  </div>`}async function bo(e,t,s){let i=[...new Set([...s,...t])],o=await j({title:n("Tags of {name}",{name:e}),text:n("Staff find sessions by them. The patient does not see them."),yes:n("Save"),no:n("Cancel"),fields:l`<fieldset class="choices">
      <legend class="sr">${n("Tags")}</legend>
      ${i.map((r,a)=>l`<label class="choice"
            ><input type="checkbox" name=${`tag-${a}`} ?checked=${t.includes(r)} /><span
              >${r}</span></label>`)}
    </fieldset>`});return o&&i.filter((r,a)=>o[`tag-${a}`])}var $o=e=>b(k(e),{bad:!0}),Ge=class{#t;#e;#s;#i;#n;#o;#a;#l;#r;constructor({client:t,queue:s,sessions:i,drawer:o,me:r,guests:a,areas:c,tags:d,mails:u,claimed:p}){this.#t=t,this.#e={queue:s,sessions:i},this.#s=o,this.#i=r,this.#n=a,this.#o=c,this.#a=d,this.#l=u,this.#r=p}get#h(){return{staff:this.#e.queue.staff,sessions:this.#e.sessions}}#c(t,s=()=>{}){return this.#t.request(t).then(s,$o)}get onRequests(){return{assign:t=>this.#d(t),unassign:({visit:t})=>this.#c({type:"visit.unassign",visit:t}),move:t=>this.#f(t),urgency:t=>this.#p(t),decline:t=>this.#g(t),closeLine:t=>this.#m(t),release:t=>this.#_(t),reopen:({visit:t})=>this.#c({type:"visit.reopen",visit:t},()=>this.#r(t)),story:t=>this.story(t)}}inSession(t){if(!t)return[];let s=Object.entries(t.parties).filter(([i])=>i.startsWith("guest-"));return[{words:n("Hand over…"),act:()=>this.#$(t)},...this.#n?[{words:n("Invite a guest…"),act:()=>this.#k(t.id)}]:[],...s.map(([i,o])=>({words:n("Send {name} away",{name:o.name}),act:()=>this.#w(t.id,i,o)}))]}async tag({visit:t,name:s,tags:i},o=()=>{}){let r=await bo(s,i,this.#a);r&&this.#c({type:"visit.tag",visit:t,tags:r},()=>o(r))}async#d(t){let s=await ro(t,this.#h);s&&this.#c({type:"visit.assign",visit:t.visit,to:s.to},()=>b(n("{name} is assigned to {to}.",{name:t.name,to:this.#e.queue.staff.get(s.to)?.name??""})))}async#m(t){await W({title:n("End the visits of those who wait?"),text:n("They read that the clinic has closed, and how to come back. This cannot be undone."),yes:n("End their visits"),no:n("Cancel"),danger:!0})&&await Js(this.#t,t).catch($o)}async#p(t){let s=await fo(t,this.#e.queue.limits),i=J.find(o=>o===s?.level);i&&this.#c({type:"visit.urgency",visit:t.visit,level:i})}async#f(t){let s=await uo(t,this.#o);s&&this.#c({type:"visit.move",visit:t.visit,area:s.area},()=>E(n("Moved.")))}async#g(t){let s=await lo(t,this.#l);if(!s)return;let i=s.reason.trim()||null;this.#c({type:"visit.decline",visit:t.visit,reason:i})}async#_(t){await W({title:n("Return {name} to the queue?",{name:t.name}),yes:n("Return to queue"),no:n("Cancel"),text:n("The session with {provider} is interrupted; the patient goes back to their place in line.",{provider:t.claimant?.name??""})})&&this.#c({type:"visit.release",visit:t.visit})}async#$(t){let s=await ao(t.parties.patient.name,this.#i.id,this.#h);s&&this.#c({type:"visit.transfer",visit:t.id,to:s.to})}async#k(t){let s=await co();if(!s)return;let i=s.relation,o={name:s.name.trim(),relation:i};this.#c({type:"visit.invite",visit:t,...o},({path:r})=>this.#T(o,new URL(At(r),location.origin).href))}#T({name:t,relation:s},i){let o=()=>navigator.clipboard?.writeText(i).then(()=>b(n("The link was copied.")),()=>{});this.#s.show("link-title",r=>l`<h2 id="link-title">${n("Link for {name}",{name:t})}</h2>
          <p>
            ${n("Send it to them yourself. It opens once, and only for a short while; they join as {relation}.",{relation:ho(s)})}
          </p>
          <p>
            <label class="sr" for="guest-link">${n("Link")}</label><input
              class="input"
              id="guest-link"
              readonly
              .value=${i}
              @focus=${a=>a.target.select()} />
          </p>
          <div class="row">
            <button type="button" class="btn" @click=${r}>${n("Close")}</button
            ><button type="button" class="btn main" @click=${o}>${n("Copy the link")}</button>
          </div>`)}async#w(t,s,i){await W({title:n("Send {name} away?",{name:i.name}),text:n("They no longer see or hear the session. Their link does not open again."),yes:n("Send away"),no:n("Cancel"),danger:!0})&&this.#c({type:"visit.dismiss",visit:t,guest:s})}story(t){let s=this.#s,i={events:null,calls:null,info:void 0,refused:null},o=this.#t.subscribe(`case/${t}`,r=>{i.info=r.case,s.redraw()},r=>{i.refused=r.code==="not_found"?n("Case Information is shown while the patient waits and you are on call, and to the visit's own provider and administrators."):k(r),s.redraw()});this.#c({type:"visit.history",visit:t},({events:r,calls:a})=>{Object.assign(i,{events:r,calls:a}),s.redraw()}),s.show("story-title",r=>go(i,{now_ms:this.#t.now(),close:r}),o)}};var qa=1e4,Ha=[659.25,523.25,783.99],ze=class{audible=!1;rung=0;#t=null;#e=-1/0;#s=0;#i;#n;#o;constructor(t,s,{wanted:i}){this.#n=t,this.#i=s,this.#o=i;let o=()=>this.unlock();for(let r of["pointerdown","keydown"])addEventListener(r,o,{once:!0})}async unlock(){if(globalThis.AudioContext){this.#t??=new AudioContext;try{await this.#t.resume(),this.audible=this.#t.state==="running"}catch{this.audible=!1}}}async askToNotify(){this.#o&&globalThis.Notification?.permission==="default"&&await Notification.requestPermission()}ring(t){this.#a(()=>this.#r("new",{title:n("New On-Demand Request"),open:this.#i,body:A("{n} patient is waiting at {clinic}.","{n} patients are waiting at {clinic}.",t,{clinic:this.#n.name})}))}assigned(t){this.#a(()=>{}),this.#r("assigned",{title:n("A patient is assigned to you"),open:t,body:n("Claim them from your Sessions List at {clinic}.",{clinic:this.#n.name})})}overLimit(t){this.#a(()=>{}),this.#r("limit",{title:n("The waiting room needs attention"),open:t,body:n("A wait at {clinic} has passed its limit.",{clinic:this.#n.name})})}hush(){clearTimeout(this.#s),this.#s=0}#a(t){let s=this.#e+qa-performance.now();s<=0?this.#l(t):this.#s||(this.#s=setTimeout(()=>{this.#s=0,this.#l(t)},s))}#l(t){this.#e=performance.now(),this.rung+=1,document.documentElement.dataset.rung=String(this.rung),this.#t&&ue({notes:Ha,given:this.#t}).catch(()=>{}),t()}#r(t,{title:s,body:i,open:o}){if(!(!this.#o||!document.hidden||globalThis.Notification?.permission!=="granted"))try{let r={body:i,lang:document.documentElement.lang,tag:`greenroom-${this.#n.id}-${t}`,renotify:!0},a=new Notification(s,r);a.onclick=()=>{globalThis.focus(),a.close(),o()}}catch{}}};var Ya=w(()=>({not_allowed:n("Case Information can be opened while you are on call."),not_found:n("This visit is no longer there.")})),Ke=class{#t;#e;#s;#i=new Map;constructor(t,s,i){this.#t=t,this.#e=s,this.#s=i}has(t){return this.#i.has(t)}get(t){return this.#i.get(t)}open(t){if(this.#i.has(t))return;let s={info:void 0,refused:null,drop:()=>{}};this.#i.set(t,s),s.drop=this.#t.subscribe(`case/${t}`,i=>{let o=s.info?.photos.length??i.case.photos.length;s.info=i.case,i.case.photos.length>o&&this.#s(i.case),this.#e()},i=>{s.info=void 0,s.refused=Ya()[i.code]??k(i),this.#e()}),this.#e()}toggle(t){this.#i.has(t)?this.#n(t):this.open(t),this.#e()}keepOnly(t){let s=new Set(t);for(let i of[...this.#i.keys()])s.has(i)||this.#n(i)}#n(t){this.#i.get(t)?.drop(),this.#i.delete(t)}};var ja=3e4,Je=class{#t;#e;#s;#i;#n=new Set;#o=new Set;constructor({client:t,me:s,claimed:i,redraw:o}){this.#t=t,this.#e=s,this.#s=i,this.#i=o}isOpen(t){return this.#n.has(t)}foundNoPlace(t){return this.#o.has(t)}async claim(t){if(!(!bt(this.#e,t)&&!await W({title:n("Claim {name} all the same?",{name:t.name}),yes:n("Claim"),no:n("Cancel"),text:n("You are not licensed in {state}, where the patient is now.",{state:F(t.state)})}))){this.#n.add(t.visit),this.#o.delete(t.visit),this.#i();try{await this.#t.request({type:"visit.claim",visit:t.visit}),this.#s(t.visit)}catch(s){let i=M(s)==="already_claimed"?Kn(s).by:void 0;M(s)==="at_capacity"&&this.#a(t.visit),i?.id===this.#e.id?this.#s(t.visit):b(i?n("{by} has claimed {name}.",{by:i.name,name:t.name}):k(s),{bad:!0})}finally{this.#n.delete(t.visit),this.#i()}}}#a(t){this.#o.add(t),setTimeout(()=>{this.#o.delete(t),this.#i()},ja)}};function Fa({name:e,online:t},s){return`${t?n("{name} sees your message at once.",{name:e}):n("{name} is offline: your message is shown when they are back.",{name:e})} ${s?n("They can answer it."):n("They cannot answer while they wait.")}`}var Qe=class{#t;#e;#s;#i;#n;#o;#a=new Map;constructor({client:t,queue:s,drawer:i,me:o,answers:r,redraw:a}){this.#t=t,this.#e=s,this.#s=i,this.#i=o,this.#n=r,this.#o=a}isUnread({visit:t,answered_ms:s=null}){return s!==null&&s>(this.#a.get(t)??0)}open(t){let{visit:s}=t,i=new ft(this.#t,s,"staff",()=>this.#s.redraw(),this.#i.name);i.start(),this.#s.show("conversation",o=>this.#l(t,i,o),()=>i.stop())}#l(t,s,i){let{visit:o,name:r}=t,a=this.#e.rows.find(c=>c.visit===o);return a?.answered_ms&&this.isUnread(a)&&(this.#a.set(o,a.answered_ms),this.#o()),l`<h2 id="conversation">${n("Message to {name}",{name:r})}</h2>
      <p class="quiet small">
        ${a?Fa(a,this.#n):n("{name} is not waiting any more.",{name:r})}
      </p>
      ${fe(s,{may:!!a,failed:c=>b(k(c),{bad:!0})})}
      <div class="row"><button type="button" class="btn" @click=${i}>${n("Close")}</button></div>`}};var wo={completed:()=>n("Completed"),by_phone:()=>n("Held by phone"),declined:()=>n("Declined"),withdrawn:()=>n("Patient left"),expired:()=>n("Expired"),closed:()=>n("Clinic closed")},Xs=new Set(["completed","by_phone"]),Ua=864e5,Ba=500,Ze=class{rows=[];take(t){if(t.type==="sessions.snapshot")this.rows=t.rows;else if(t.type==="sessions.row"){let s=[...this.rows.filter(({visit:i})=>i!==t.row.visit),t.row];this.rows=s.sort((i,o)=>(i.claimed_ms??0)-(o.claimed_ms??0))}else this.rows=this.rows.filter(({visit:s})=>s!==t.visit)}of(t){return this.rows.filter(s=>s.claimant?.id===t)}},Xe=class{rows=null;more=!1;unread=0;busy=!1;filters={};#t=0;#e;#s;constructor(t,s){this.#e=t,this.#s=s}tagged(t,s){this.rows=this.rows?.map(i=>i.visit===t?{...i,tags:s}:i)??null,this.#s()}async search(t=this.filters,{further:s=!1}={}){let i=++this.#t;this.filters=t,this.busy=!0,this.#s();try{do{if(s&&this.unread&&await new Promise(c=>setTimeout(c,Ba)),i!==this.#t)return;let o=s?this.rows?.at(-1):void 0,r=o?{before_ms:o.ended_ms,before_visit:o.visit}:{},a=await this.#e.request({type:"sessions.past",...t,...r});if(i!==this.#t)return;this.rows=s?[...this.rows??[],...a.rows]:a.rows,this.more=a.more,this.unread=a.unread??0,s=!0,this.#s()}while(this.unread)}finally{i===this.#t&&(this.busy=!1,this.unread=0,this.#s())}}};function vo(e,t,{when:s,about:i,acts:o}){return l`<li class="card req">
    ${s}
    <div class="who">${i}</div>
    <div class="acts">
      ${o}
      <button type="button" class="btn" @click=${()=>t.act.story(e.visit)}>
        ${n("History")}<span class="sr"> ${e.name}</span>
      </button>
    </div>
  </li>`}function Va(e,t){let s=e.claimant?.id===t.me.id,i=["patient","provider"].filter(r=>e.present.includes(r)),o=i.length===2?n("Both are there"):i.length?i[0]==="patient"?n("The patient is there"):n("The provider is there"):n("Nobody is there");return vo(e,t,{when:l`<div class="waited">
      <since-clock class="wait" since=${e.live_ms??e.claimed_ms}></since-clock>
      <span class="chip ${e.status==="live"?"":"off"}"
        >${e.status==="live"?n("Live"):n("Claimed")}</span>
    </div>`,about:l`<h2><bdi>${e.name}</bdi></h2>
      <p class="meta"><bdi>${e.claimant?.name??""}</bdi><span>${o}</span>${e.contacts?.map(r=>l`<span>${Ie(r)}</span>`)}</p>`,acts:l`${s?l`<a
              class="btn main"
              href=${t.visitPath(e.visit)}
              @click=${t.follows(t.visitPath(e.visit))}
              >${n("Open")}<span class="sr"> ${e.name}</span></a>`:h}
      ${t.me.role==="admin"&&!s?l`<button type="button" class="btn" @click=${()=>t.act.release(e)}>
              ${n("Return to queue")}<span class="sr"> ${e.name}</span>
            </button>`:h}
      ${s?h:yo(e,t)}`})}var yo=(e,t)=>t.emergency&&t.me.role!=="admin"?l`<a class="btn plain" href="${t.visitPath(e.visit)}/emergency"
        >${n("Emergency access")}<span class="sr"> ${e.name}</span></a>`:h;function tn(e,t,s){return l`${e.length?h:l`<div class="card empty">
            <h2>${n("No sessions")}</h2>
            <p class="quiet">${s}</p>
          </div>`}
    <ul role="list" class="requests">
      ${x(e,({visit:i})=>i,i=>Va(i,t))}
    </ul>`}function Ga(e,{me:t,tags:s}){return(t.role==="admin"||e.claimant?.id===t.id)&&(s.length>0||(e.tags??[]).length>0)}function za(e,t){let s=e.claimant?.id===t.me.id&&e.reopen_until_ms&&e.reopen_until_ms>t.now_ms;return vo(e,t,{when:l`<div class="waited num">
      <span>${e.ended_ms?ut(e.ended_ms):h}</span>
    </div>`,about:l`<div class="row">
        <h2><bdi>${e.name}</bdi></h2>
        <span class="chip ${Xs.has(e.outcome)?"":"off"}"
          >${wo[e.outcome??""]?.()??e.outcome}</span>
      </div>
      <p class="meta">
        <bdi>${e.claimant?.name??n("Nobody claimed it")}</bdi>${e.talked_ms?l`<span>${n("Talked for {time}",{time:X(e.talked_ms)})}</span>`:h}
        ${dt(e.reason)}
      </p>
      ${Ve(e.tags??[],Ga(e,t)?()=>t.act.tag(e):null,e.name)}`,acts:l`${s?l`<button type="button" class="btn main" @click=${()=>t.act.reopen(e)}>
              ${n("Reopen")}<span class="sr"> ${e.name}</span>
            </button>`:h}
    ${e.claimant?.id===t.me.id?h:yo(e,t)}`})}function Ka(e){let t=new FormData(e),s=r=>String(t.get(r)??"").trim(),i=r=>new Date(`${r}T00:00`).getTime(),o={text:s("text"),provider:s("provider"),outcome:s("outcome"),tag:s("tag"),since_ms:s("since")&&i(s("since")),before_ms:s("until")&&i(s("until"))+Ua};return Object.fromEntries(Object.entries(o).filter(([,r])=>r))}function _o(e,t){let s=[...t.staff.values()].sort((o,r)=>o.name.localeCompare(r.name)),i=o=>{o.preventDefault(),e.search(Ka(o.currentTarget)).catch(t.failed)};return l`<form
      class="card filters"
      role="search"
      aria-label=${n("Past sessions")}
      @submit=${i}
      @change=${o=>o.currentTarget.requestSubmit()}>
      <div class="field">
        <label for="past-text">${n("Patient")}</label
        ><input class="input" id="past-text" name="text" type="search" maxlength="100" autocomplete="off" />
      </div>
      <div class="field">
        <label for="past-provider">${n("Provider")}</label
        ><select class="input" id="past-provider" name="provider">
          <option value="">${n("Anyone")}</option>
          ${s.map(o=>l`<option value=${o.id} dir="auto">${o.name}</option>`)}
        </select>
      </div>
      <div class="field">
        <label for="past-outcome">${n("Outcome")}</label
        ><select class="input" id="past-outcome" name="outcome">
          <option value="">${n("Any")}</option>
          ${Object.entries(wo).map(([o,r])=>l`<option value=${o}>${r()}</option>`)}
        </select>
      </div>
      ${t.tags.length?l`<div class="field">
              <label for="past-tag">${n("Tag")}</label
              ><select class="input" id="past-tag" name="tag">
                <option value="">${n("Any")}</option>
                ${t.tags.map(o=>l`<option value=${o}>${o}</option>`)}
              </select>
            </div>`:h}
      <div class="field">
        <label for="past-since">${n("From")}</label
        ><input class="input" id="past-since" name="since" type="date" />
      </div>
      <div class="field">
        <label for="past-until">${n("To")}</label
        ><input class="input" id="past-until" name="until" type="date" />
      </div>
      <button class="btn">${n("Search")}</button>
    </form>
    <p class="sr" role="status">
      ${e.rows&&!e.busy?n("{n} sessions found",{n:e.rows.length}):""}
    </p>
    ${e.rows===null?l`<p class="quiet">${n("Opening the list…")}</p>`:h}
    ${e.rows&&!e.rows.length&&!e.unread?l`<div class="card empty">
            <h2>${n("Nothing found")}</h2>
            <p class="quiet">${n("Try other words or a longer time.")}</p>
          </div>`:h}
    <ul role="list" class="requests" aria-label=${n("Past sessions, newest first")}>
      ${x(e.rows??[],({visit:o})=>o,o=>za(o,t))}
    </ul>
    ${e.unread?l`<p class="quiet" role="status">
            ${n("Still reading older sessions: {n} left.",{n:e.unread})}
          </p>`:h}
    ${e.more&&!e.unread?l`<p>
            <button
              type="button"
              class="btn"
              ?disabled=${e.busy}
              @click=${()=>e.search(e.filters,{further:!0}).catch(t.failed)}>
              ${n("Show more")}
            </button>
          </p>`:h}`}var Ja=w(()=>({provider:n("Provider"),admin:n("Administrator")})),Qa=w(()=>({sessions:n("Sessions List"),calendar:n("Calendar"),reports:n("Reports"),setup:n("Set-up"),preferences:n("My settings")})),en=()=>document.querySelector(".side .menu-button"),ts=e=>en()?.setAttribute("aria-expanded",String(e));function ko(){let e=()=>en()?.getAttribute("aria-expanded")==="true";document.addEventListener("keydown",({key:t})=>{t!=="Escape"||!e()||(ts(!1),en()?.focus())});for(let t of["pointerdown","focusin"])document.addEventListener(t,({target:s})=>{e()&&!(s instanceof Element&&s.closest(".side"))&&ts(!1)})}function Za({boot:e,onCall:t,loaded:s,waiting:i,here:o,bell:r,languages:a,follows:c,signOut:d}){let{me:u,organisation:p}=e,m=({currentTarget:$})=>ts($.getAttribute("aria-expanded")!=="true"),f=({target:$})=>$.closest("a")&&ts(!1),g=l`<span class="chip num">${i}<span class="sr"> ${n("waiting")}</span></span>`;return l`<p class="org">${he(p)}<bdi>${p.name}</bdi></p>
      <div class="me">
        <button
          type="button"
          class="switch"
          role="switch"
          aria-checked=${t.on?"true":"false"}
          aria-busy=${t.switching?"true":"false"}
          ?disabled=${!s}
          @click=${()=>t.turn()}>
          <i></i>${n("On-Call")}
        </button>
        <span class="face" aria-hidden="true">${mt(u.name)}</span>
        <p class="name"><b><bdi>${u.name}</bdi></b>
          <span class="small quiet">${Ja()[u.role]??u.role}</span></p>
      </div>
      ${r}
      <button
        type="button"
        class="btn menu-button"
        aria-expanded="false"
        aria-controls="side-menu"
        @click=${m}>
        ${n("Menu")} ${i?g:h}
      </button>
      <div class="menu" id="side-menu" @click=${f}>
        <nav aria-label=${n("Main")}>
          ${e.pages.map(({key:$,path:T})=>l`<a
                href=${T}
                aria-current=${$===o?"page":h}
                @click=${T===e.home?c(T):h}
                >${Qa()[$]} ${$==="sessions"?g:h}</a>`)}
        </nav>
        ${a}
        <form method="post" action=${e.sign_out} @submit=${d}>
          ${Cn()}<button class="btn plain">${n("Sign out")}</button>
        </form>
      </div>`}function To(e,t){let{own:s,follows:i}=t;return l`<div class="staff">
    <header class="side live">${Za(t)}</header>
    <div class="content">
      ${s?l`<a class="notice own" href=${s.path} @click=${i(s.path)}
              ><span><b>${n("Back to session with {name}",s.visit.parties.patient)}</b></span
              ><since-clock since=${s.visit.live_ms??s.visit.claimed_ms}></since-clock></a>`:h}
      <main id="main" tabindex="-1" class="stack">${e}</main>
    </div>
  </div>`}function xo(e,{home:t,me:s,reopen_ms:i,now_ms:o,follows:r,reopen:a}){let{patient:c}=e.parties,d=(e.ended_ms??0)+i,u=Xs.has(e.outcome)&&e.claimant?.id===s.id&&o<d;return l`<section class="card stack after">
    <h1 tabindex="-1" data-focus>${n("Session with {name} has ended",c)}</h1>
    <p>
      ${e.outcome==="withdrawn"?n("{name} has left the visit.",c):h}
      ${e.talked_ms?n("You talked for {time}.",{time:X(e.talked_ms)}):h}
      ${n("Camera and microphone are off.")}
    </p>
    <p class="row">
      <a class="btn main" href=${t} @click=${r(t)}>${n("Back to On-Demand Requests")}</a>
      ${u?l`<button type="button" class="btn" @click=${a}>${n("Reopen")}</button>`:h}
    </p>
    ${u?l`<p class="small quiet">
            ${n("Pressed End too early? Reopen brings the patient’s page back; it is possible until {time}.",{time:O(d)})}
          </p>`:h}
  </section>`}var Xa=e=>requestAnimationFrame(()=>setTimeout(e)),es=class{#t;#e;#s=Number.POSITIVE_INFINITY;#i=Number.POSITIVE_INFINITY;#n=new Set;#o=new Map;#a=!1;constructor(t,s=Xa){this.#t=t,this.#e=s}begin({reordered:t=!1}={}){this.#s=24,t&&(this.#i=24),this.#t()}of(t,s){let i=s.filter(({visit:r},a)=>a<this.#s||this.#n.has(r));this.#n=new Set(i.map(({visit:r})=>r));let o=this.#l(t,s);return this.#o=new Map(o.map(({visit:r},a)=>[r,a])),(i.length<s.length||this.#i<t.length)&&!this.#a&&(this.#a=!0,this.#e(()=>{this.#a=!1,this.#s+=120,this.#i+=40,this.#t()})),{rows:o,shown:new Set(i)}}#l(t,s){if(this.#i>=t.length)return this.#i=Number.POSITIVE_INFINITY,t;let i=new Set([...t.slice(0,this.#i),...s.slice(0,this.#i)]),o=({visit:a})=>this.#o.get(a)??t.length,r=t.filter(a=>!i.has(a)).sort((a,c)=>o(a)-o(c));return[...t.filter(a=>i.has(a)),...r]}};var tl={keep:()=>n("They keep their places."),ask:()=>n("Those who still wait then are asked to stay or leave."),end:()=>n("Visits that nobody has claimed then end.")},sn=e=>A("{n} patient waits.","{n} patients wait.",e),nn=e=>A("{n} patient still waits.","{n} patients still wait.",e);function el(e,{closing:t},s){return Object.entries(t??{}).flatMap(([i,{at_ms:o,over:r,rule:a}])=>{let c=e.filter(({area:m})=>(m?.id??"")===i);if(!c.length)return[];let d={area:s[i]??"",time:O(o)},u=r?i?n("{area} is closed.",d):n("The clinic is closed."):i?n("{area} closes at {time}.",d):n("The clinic closes at {time}.",d),p=r?nn(c.length):`${sn(c.length)} ${tl[a]()}`;return[{words:`${u} ${p}`,rows:c,asks:r&&a==="ask"}]})}function So({all:e,limits:t,areas:s,me:i,act:o}){return el(e,t,s).map(({words:r,rows:a,asks:c})=>l`<div class="notice amber">
        <p>${r} ${c?n("Please decide: claim them, or end their visits."):h}</p>
        ${c&&i.role==="admin"?l`<button type="button" class="btn" @click=${()=>o.closeLine(a)}>
                ${n("End their visits…")}
              </button>`:h}
      </div>`)}var sl=200,Ao={assigned:({by:e,name:t})=>n("{by} assigned {name} to you.",{by:e,name:t}),assignment_lapsed:({name:e})=>n("{name} was not taken up in time and is everybody’s again.",{name:e}),declined:({by:e,name:t})=>n("{by} declined {name}.",{by:e,name:t}),returned:({name:e})=>n("{name} is back in the queue.",{name:e}),transferred:({by:e,name:t})=>n("{by} handed {name} over.",{by:e,name:t}),closed:({name:e})=>n("The clinic closed before anybody claimed {name}.",{name:e}),patient_left:({name:e})=>n("{name} has left.",{name:e}),answered:({name:e})=>n("{name} answered your message.",{name:e}),patient_back:({name:e})=>n("{name} is back on the page.",{name:e}),emergency:({by:e,name:t})=>n("{by} opened the session of {name} by emergency access.",{by:e,name:t}),emergency_ended:({by:e})=>n("{by} ended your emergency access.",{by:e}),off_call:()=>n("On-Call was turned off: none of your pages had been open for a while."),queue_many:({count:e})=>n("{n} patients are waiting.",{n:e}),queue_long:({name:e,count:t})=>n("{name} has been waiting for {n} min.",{name:e,n:t}),queue_closing:({count:e})=>`${n("Closing time is near.")} ${sn(e??0)}`,queue_closed:({count:e})=>`${n("It is past closing time.")} ${nn(e??0)}`,message:({by:e})=>n("{by} wrote to you.",{by:e})};function ns(e){let t=(Ao[e.kind]??Ao.message)(e);return e.area?`${t} ${n("Waiting area: {area}.",{area:e.area})}`:t}var Eo=({kind:e,by:t},s)=>e==="declined"&&t===s.name;function nl(e,t){return new Date(e).toDateString()===new Date(t).toDateString()?O(e):ut(e)}var ss=class{items=[];unread=0;take(t){return this.unread=t.unread,t.type==="bell.snapshot"?this.items=t.items:t.type==="bell.item"&&(this.items=[t.item,...this.items.filter(({id:s})=>s!==t.item.id)].slice(0,sl)),t.type==="bell.item"?t.item:null}get newest_ms(){return this.items[0]?.at_ms??0}isNew(t){return t<this.unread}button(t){return l`<button type="button" class="btn plain bell" aria-haspopup="dialog" @click=${t}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6zM9.5 20a2.5 2.5 0 0 0 5 0"></path>
      </svg>
      <span>${n("Notifications")}</span>${this.unread?l`<span class="chip amber num">${this.unread}<span class="sr"> ${n("unread")}</span></span>`:h}
    </button>`}list({now_ms:t,go:s,close:i}){return l`<h2 id="bell-title">${n("Notifications")}</h2>
      ${this.items.length?h:l`<p class="quiet">
              ${n("There is nothing here yet. What concerns you appears here by itself.")}
            </p>`}
      <ul role="list" class="notes">
        ${x(this.items,({id:o})=>o,(o,r)=>l`<li ?data-new=${this.isNew(r)}>
              <p>${ns(o)}${dt(o.note)}</p>
              <p class="small quiet num">
                ${nl(o.at_ms,t)}
                ${o.visit?l`<button type="button" class="btn plain" @click=${()=>s(o)}>
                        ${n("Open")}<span class="sr"> ${o.name}</span>
                      </button>`:h}
              </p>
            </li>`)}
      </ul>
      <div class="row"><button type="button" class="btn main" @click=${i}>${n("Close")}</button></div>`}};var il=["queue_many","queue_long"],is=class{queue=new Be;bell=new ss;drawer=new oe;#t;#e;#s;#i;#n;#o;#a;#l;#r=()=>{};constructor({client:t,me:s,alerts:i,follow:o,queued:r=()=>{},onCall:a,redraw:c}){this.#t=t,this.#e=s,this.#s=i,this.#i=o,this.#n=r,this.#o=c,this.#a=a!==void 0,this.#l=!this.#h(a??!1),this.#c(),t.subscribe("bell",d=>this.#f(d))}#h(t=this.onCall){return this.#a&&(t||this.#e.role==="admin")}#c(){this.#r();let t=s=>this.#p(s);this.#r=this.#t.subscribe("queue",t,void 0,{counted:this.#l})}get onCall(){return this.queue.staff.get(this.#e.id)?.on_call??!1}get left(){return this.queue.leftBy(this.#e.id)}get mayClose(){return this.#e.role==="admin"}button(){return this.bell.button(()=>this.#d())}#d(){re();let t,s=()=>(t??=this.#m(),t);this.drawer.show("bell-title",i=>this.bell.list({now_ms:this.#t.now(),close:i,go:o=>{i(),this.#i(o,s())}}),s)}async#m(){let{newest_ms:t}=this.bell;t&&await this.#t.request({type:"bell.mark",until_ms:t}).catch(()=>{})}#p(t){let s=this.queue.take(t),{fresh:i}=s;this.#l===this.#h()&&(this.#l=!this.#l,this.queue.rows=[],this.#c()),i.length&&this.onCall&&(this.#s.ring(this.queue.rows.length),E(i.length===1&&i[0].name?n("New request: {name}.",i[0]):A("{n} new request.","{n} new requests.",i.length))),this.#n(s),this.drawer.redraw(),this.#o()}#f(t){let s=this.bell.take(t);s&&(Eo(s,this.#e)?E(ns(s)):this.drawer.open||b(ns(s)),(s.kind==="assigned"||s.kind==="transferred")&&this.#s.assigned(()=>this.#i(s)),il.includes(s.kind)&&this.#s.overLimit(()=>this.#i(s))),this.drawer.redraw(),this.#o()}};var os=class{id=null;visit=null;session=null;over=null;#t;#e;#s;#i;#n;#o;#a;#l=()=>{};constructor({client:t,me:s,routed:i,leave:o,begin:r,released:a,redraw:c}){this.#t=t,this.#e=s,this.#s=i,this.#i=o,this.#n=r,this.#o=a,this.#a=c}get current(){return this.visit&&on(this.visit)?this.visit:null}hold(t){this.#r(),this.over=null,this.id=t,this.#l=this.#t.subscribe(`visit/${t}`,({visit:s})=>this.id===t&&this.#c(s),s=>this.id===t&&this.#h(s))}open(){!this.visit||this.session||this.visit.claimant?.id!==this.#e.id||(this.session=this.#n(this.visit.id),this.session.open(),this.session.update(this.visit),this.enter())}enter(){!this.session||!this.id||this.#t.request({type:"visit.enter",visit:this.id}).catch(t=>{["unavailable","timeout"].includes(M(t))&&setTimeout(()=>this.enter(),2e3)})}#r(){this.session?.close(),this.#l(),this.#l=()=>{},this.id=this.visit=this.session=null,this.#o()}#h(t){this.#r(),this.#s()&&(b(k(t),{bad:!0}),this.#i()),this.#a()}#c(t){this.visit=t;let s=this.#s()===t.id;return on(t)&&t.claimant?.id===this.#e.id?(s&&this.open(),this.session?.update(t),this.#a()):(this.#r(),s&&t.status==="ended"?this.over=t:s&&(b(on(t)&&t.claimant?n("{name} has claimed this visit.",t.claimant):n("{name} is back in the queue.",t.parties.patient)),this.#i()),this.#a())}},on=({status:e})=>e==="claimed"||e==="live";var ol=2;function Mo(e){let t=e?.at(-1);if(!t||!e)return"";let s=e.filter(({at_ms:c})=>c===t.at_ms),i=s.filter(c=>c.reached),o=(i.length?i:s).map(({name:c})=>c),a={names:o.length>ol?A("{n} person","{n} people",o.length):o.join(", "),time:O(t.at_ms)};return i.length?n("Told: {names}, {time}",a):n("Not reached: {names}, {time}",a)}function Co(e,{alert_waiting:t,alert_wait_ms:s},i,o=[]){let r=[],a=o.map(u=>e.filter(({area:p})=>!p||p.id===u).length),c=o.length?Math.max(...a):e.length;t&&c>t&&r.push(n("{n} patients are waiting, more than {most}.",{n:c,most:t}));let d=Math.max(0,...e.map(({arrived_ms:u})=>i-u));return s&&d>s&&r.push(n("Somebody has been waiting for more than {n} min.",{n:Math.round(s/6e4)})),r}var an={text:"",region:"",provider:"",waited:"",urgency:"",area:"",order:""},rl=6,Lo="-",Io="-",No={wait:(e,t)=>Wt(e,t,{urgent_first:!1}),urgency:(e,t)=>Wt(e,t,{urgent_first:!0}),newest:(e,t)=>t.arrived_ms-e.arrived_ms,region:(e,t)=>F(e.state).localeCompare(F(t.state)),provider:(e,t)=>Oo(e).localeCompare(Oo(t))},Oo=({assignee:e})=>e?.name??"￿",Do=(e,{order:t})=>t in No?[...e].sort(No[t]):e;function Po(e,{text:t,region:s,provider:i,waited:o,urgency:r,area:a},{limits:c,now_ms:d}){let u=t.toLocaleLowerCase().split(/\s+/).filter(Boolean),p=o==="amber"?c.amber_ms:o==="red"?c.red_ms:0;return e.filter(m=>{let f=[m.name,m.reason,m.phone].join(" ").toLocaleLowerCase();return u.every(g=>f.includes(g))&&(!s||m.state===s)&&(!i||(m.assignee?.id??Lo)===i)&&(!r||qt(m)===r)&&(!a||(m.area?.id??Io)===a)&&(!p||d-m.arrived_ms>=p)})}var rn=({text:e,region:t,provider:s,waited:i,urgency:o,area:r})=>!!(e.trim()||t||s||i||o||r),al=w(()=>({wait:n("Longest waiting first"),urgency:n("Most urgent first"),order:[["newest",n("Newest first")],["region",n("By region")],["provider",n("By provider")]]})),wt=(e,t,s,i)=>l`<select class="input" name=${e} aria-label=${t}>
    ${s.map(([o,r])=>l`<option value=${o} ?selected=${o===i}>${r}</option>`)}
  </select>`;function ll({urgent_first:e}){let{wait:t,urgency:s,order:i}=al();return e?[["",s],["wait",t],...i]:[["",t],["urgency",s],...i]}function Ro({all:e,rows:t,sift:s,changeSift:i,staff:o,limits:r,areas:a}){if(e.length<rl&&!rn(s))return h;let c=[...new Set([...e.map(({state:m})=>m),...s.region?[s.region]:[]])],d=[...o.values()].sort((m,f)=>m.name.localeCompare(f.name)),u=m=>n("Over {n} min",{n:Math.round(m/6e4)}),p=({currentTarget:m})=>i({...an,...Object.fromEntries(new FormData(m))});return l`<form
      class="sift"
      role="search"
      aria-label=${n("On-Demand Requests")}
      @input=${p}
      @submit=${m=>m.preventDefault()}>
      <input
        class="input"
        type="search"
        name="text"
        maxlength="100"
        autocomplete="off"
        .value=${s.text}
        aria-label=${n("Search by name, reason or phone")}
        placeholder=${n("Search")} />
      ${wt("region",n("Region"),[["",n("Any region")],...c.map(m=>[m,F(m)]).sort((m,f)=>m[1].localeCompare(f[1]))],s.region)}
      ${wt("provider",n("Provider"),[["",n("For anyone")],[Lo,n("Not assigned")],...d.map(({id:m,name:f})=>[m,n("For {name}",{name:f})])],s.provider)}
      ${Object.keys(a).length?wt("area",n("Waiting area"),[["",n("All areas")],...Object.entries(a),[Io,n("No area")]],s.area):h}
      ${wt("urgency",n("Urgency"),[["",n("Any urgency")],...J.map(m=>[m,$t(m,r)])],s.urgency)}
      ${wt("waited",n("Wait"),[["",n("Any wait")],["amber",u(r.amber_ms)],["red",u(r.red_ms)]],s.waited)}
      ${wt("order",n("Order"),ll(r),s.order)}
    </form>
    <p class="small quiet" role="status" ?hidden=${!rn(s)}>
      ${rn(s)?n("{n} of {all} shown",{n:t.length,all:e.length}):""}
    </p>`}function cl(e){return e.guide_done?l`<span class="chip"><span class="dot"></span>${n("In the waiting room")}</span>`:l`<span class="progress"><span class="num">${n("Step {step} of {steps}",e)}</span>
    <progress max=${e.steps} .value=${e.step} aria-label=${n("Setup guide")}></progress></span>`}function hl(e){return e.online?l`<span class="online"><span class="dot"></span>${n("Online")}</span>`:l`<span class="chip off">${n("Offline")}
    ${e.away_since_ms?l`<since-clock since=${e.away_since_ms}></since-clock>`:h}</span>`}function dl(e,{act:t,areas:s,me:i,conversations:o}){let r=(a,c)=>l`<button
      type="button"
      class="btn plain"
      @click=${d=>{Ct(d.currentTarget),c(e)}}>
      ${a}
    </button>`;return l`${r(n("Send a message"),a=>o.open(a))}
  ${r(n("Set the urgency…"),t.urgency)}
  ${Object.keys(s).length?r(n("Move to another waiting area…"),t.move):h}
  ${i.role==="admin"&&e.assignee?r(n("Take the assignment back"),t.unassign):h}`}function ul(e,t){return l`<button
      type="button"
      class="btn"
      aria-label=${n("Assign {name}",e)}
      @click=${()=>t.assign(e)}>
      ${n("Assign")}</button
    ><button
      type="button"
      class="btn danger"
      aria-label=${n("Decline {name}",e)}
      @click=${()=>t.decline(e)}>
      ${n("Decline")}
    </button>`}function ml(e,t){return l`<details class="more" @toggle=${({currentTarget:i})=>{i.closest("li")?.toggleAttribute("data-menu",i.open),D(i.open?dl(e,t):h,R(".card",HTMLElement,i))}}>
    <summary class="btn" aria-label=${n("More for {name}",{name:e.name})}>${n("More")}</summary>
    <div class="card"></div>
  </details>`}var Wo=(e,t,s)=>e?l`<span class="chip ${t}">${s}</span>`:h,pl=w(()=>({})),fl=864e5;function gl(e,t){let s=t.cases.get(e.visit);return[e,t.limits,t.me,t.mayClaim,t.claims.isOpen(e.visit),t.claims.foundNoPlace(e.visit),t.conversations.isUnread(e),s!==void 0,s?.info,s?.refused,s&&Math.floor(t.now_ms/fl),pl()]}function bl(e,t){let{limits:s,act:i}=t,o=t.cases.get(e.visit),r=t.claims.isOpen(e.visit),a=`case-${e.visit}`;return l`<div class="waited">
      <wait-clock
        class="wait"
        since=${e.arrived_ms}
        amber=${s.amber_ms}
        red=${s.red_ms}></wait-clock>
      <span class="sr"> ${n("waiting")}</span>
      <span class="chip amber over amber-only"
        >${n("Over {n} min",{n:Math.round(s.amber_ms/6e4)})}</span>
      <span class="chip red over red-only"
        >${n("Over {n} min",{n:Math.round(s.red_ms/6e4)})}</span>
    </div>
    <div class="who">
      <div class="row">
        <h2><bdi>${e.name}</bdi></h2>
        ${hl(e)} ${po(e,s)}
        ${e.booked_ms?l`<span class="chip">${n("Booked {at}",{at:O(e.booked_ms)})}</span>`:h}
        ${Wo(e.blocked,"amber",n("No video: network or browser"))}
        ${Wo(t.claims.foundNoPlace(e.visit),"red",n("No free place for a call"))}
        ${e.returned?l`<span class="chip amber"
                >${n("Returned")}${e.returned>1?` ${e.returned}×`:""}</span>`:h}
        ${e.assignee?l`<span class="chip">${e.assignee.id===t.me.id?n("For you"):n("For {name}",e.assignee)}</span>`:h}
      </div>
      <p class="reason"><bdi>${e.reason}</bdi></p>
      <div class="meta">
        ${cl(e)}<span>${e.state?F(e.state):h}${bt(t.me,e)?h:l` <b class="unlicensed">· ${n("you are not licensed there")}</b>`}</span><span class="num" dir="ltr">${e.phone_shown||e.phone}</span>
        <span>${It(e.language)}</span>
        ${e.area?l`<bdi class="area">${e.area.name}</bdi>`:h}
        ${e.facility?l`<span>${n("At {place}",{place:e.facility})}</span>`:h}
        ${e.filled_in_by?l`<span>${n("By {name}",{name:e.filled_in_by})}</span>`:h}
        ${e.escalations?.length?l`<span class="num">${Mo(e.escalations)}</span>`:h}
      </div>
    </div>
    <div class="acts ${t.me.role==="admin"?"decide":""}">
      ${t.mayClaim&&t.conversations.isUnread(e)?l`<button
              type="button"
              class="btn answered"
              aria-label=${n("New answer of {name}",e)}
              @click=${()=>t.conversations.open(e)}>
              <span class="dot"></span>${n("New answer")}
            </button>`:h}
      <button
        type="button"
        class="btn case-of"
        aria-expanded=${o?"true":"false"}
        aria-controls=${o?a:h}
        ?disabled=${!t.mayClaim}
        aria-label=${n("Case Information of {name}",e)}
        @click=${()=>i.toggleCase(e.visit)}>
        ${n("Case Information")}
      </button>
      ${t.mayClaim?ml(e,t):h}
      <button
        type="button"
        class="btn main"
        ?disabled=${!t.mayClaim}
        aria-disabled=${r?"true":h}
        aria-label=${n("Claim {name}",e)}
        @click=${()=>!r&&i.claim(e)}>
        ${r?n("Claiming…"):n("Claim")}
      </button>
      ${t.me.role==="admin"?ul(e,i):h}
    </div>
    ${o?l`<section class="panel" id=${a} aria-label=${n("Case Information of {name}",e)}>
            ${o.refused?l`<p class="quiet">${o.refused}</p>`:gt(o.info,t.now_ms)}
          </section>`:h}`}function $l(e,t,s){return l`<li
    class="card req ${e.arriving?"arrive":""}"
    data-visit=${e.visit}
    ?data-open=${t.cases.has(e.visit)}
    ?hidden=${s}>
    ${fs(gl(e,t),()=>bl(e,t))}
  </li>`}var wl=6;function vl(e){let t=[...e.staff.values()].filter(i=>i.on_call||i.in_session).sort((i,o)=>i.name.localeCompare(o.name));if(!t.length)return l`<p class="quiet small">${n("Nobody is on call: patients are told so on the calendar.")}</p>`;let s=l`<ul role="list" class="people" aria-label=${n("Staff on call")}>
    ${x(t,({id:i})=>i,i=>l`<li class="chip ${i.in_session?"off":""}">
          <span class="dot"></span><bdi>${i.name}</bdi>${i.id===e.me.id?` ${n("(you)")}`:""}<span class="quiet">${i.in_session?n("in a session"):n("on call")}</span>
        </li>`)}
  </ul>`;return t.length<=wl?s:l`<details class="more on-call">
    <summary class="btn">${n("{n} on call",{n:t.length})}</summary>
    <div class="card">${s}</div>
  </details>`}function qo(e){return e.onCall||!e.loaded?h:l`<div class="notice">
    <p>
      <b>${n("You are off call.")}</b> ${e.mayClaim?n("Turn on On-Call to hear new requests."):n("Turn on On-Call: the tab On-Demand Requests opens, and you hear new requests.")}
    </p>
  </div>`}function yl(e){return l`<div class="card empty">
    <h2>${n("Nobody is waiting")}</h2>
    <p class="quiet">
      ${e.onCall?n("A new request appears here by itself, with a chime. You may leave this page open in the background."):n("Turn on On-Call, and a new request appears here with a chime.")}
    </p>
  </div>`}function Ho(e,t){return l`<div class="head">
      <h1 tabindex="-1" data-focus>${n("Sessions List")}</h1>
      ${vl(e)}
    </div>
    <nav class="tabs" aria-label=${n("Sessions")}>
      ${t.map(s=>l`<a
            href=${s.path}
            aria-current=${s.current?"page":h}
            @click=${e.follows(s.path)}>${s.words}${s.count===void 0?h:l` · <span class="num">${s.count}</span>`}</a>`)}
    </nav>`}var _l=({urgent_first:e})=>e?n("Patients, most urgent first"):n("Patients, longest waiting first"),kl=({me:e,staff:t})=>e.role==="admin"?[]:t.get(e.id)?.areas??[];function Yo(e){let{rows:t,shown:s}=e.parts.of(e.all,e.rows);return l`${e.onCall&&e.silent?l`<div class="notice amber">
            <p>
              <b>${n("The chime is blocked by this browser")}</b>
              ${n("until you press a key or click anywhere on this page.")}
            </p>
          </div>`:h}
    ${e.loaded?h:l`<p class="quiet">${n("Opening the list…")}</p>`}
    <div class="over-limits" role="status">${Co(e.all,e.limits,e.now_ms,kl(e)).map(i=>l`<p class="notice red">${i}</p>`)}${So(e)}</div>
    ${e.loaded&&!e.all.length?yl(e):Ro(e)}
    <ul
      role="list"
      class="requests"
      aria-label=${e.sift.order?n("Patients"):_l(e.limits)}>
      ${x(t,({visit:i})=>i,i=>$l(i,e,!s.has(i)))}
    </ul>`}var Tl=new Set([4201,4202]);function jo(e,{signIn:t,cleared:s}){e.addEventListener("status",({detail:{status:i,code:o}})=>{i!=="closed"||!Tl.has(o??0)||(s(),ti({messages:!0}),document.title=n("You are signed out"),document.body.replaceChildren(),D(l`<main id="main" tabindex="-1" class="page stack">
        <h1>${n("You are signed out")}</h1>
        <p role="status">${n("What stood on this page is cleared. Sign in to go on.")}</p>
        <p><a class="btn main" href=${t}>${n("Sign in")}</a></p>
      </main>`,document.body))})}var ln=new Fe("staff",Rl),{boot:v,client:S,connection:xl,language:Bo,redraw:q,root:Sl}=ln,{me:V,organisation:Vo}=v;si(v.regions);var Ut=new ze(Vo,()=>Vt(v.home),{wanted:v.notify}),cn=new is({client:S,me:V,alerts:Ut,follow:Qo,queued:Ll,onCall:v.on_call,redraw:q}),{queue:I,drawer:Go}=cn,rs=new Ue({client:S,news:cn,alerts:Ut,redraw:q,turnedOn:()=>Vt(v.home)}),Yt=new Ze,Fo=new Je({client:S,me:V,claimed:Zo,redraw:q}),vt=new Ke(S,q,({patient:e})=>b(n("{name} added a photo.",e))),jt=new Xe(S,q),Al=new Qe({client:S,queue:I,drawer:Go,me:V,answers:v.answers,redraw:q}),yt=new Ge({client:S,queue:I,sessions:Yt,drawer:Go,me:V,guests:v.guests,areas:v.areas??{},tags:v.tags,mails:v.mails,claimed:Zo}),_=new os({client:S,me:V,routed:Bt,leave:()=>history.replaceState(null,"",v.home),begin:Nl,released:Ko,redraw:q}),zo=`${v.home}/sign-in`,El=w(()=>({kept:n("The list is brought up to date as soon as it is back."),blocked:n("Pages reach this browser, but live updates do not: most often a proxy between here and the server does not pass WebSockets. Please tell whoever runs the server. Trying again by itself."),closed:{4203:{text:n("These pages went on in another tab."),label:n("Use them here"),act:()=>S.connect()},other:{text:n("You are signed out."),label:n("Sign in"),act:()=>location.assign(zo)}}})),Ht=an,Uo=new es(q),Ml=["","mine","live","past"],Cl=e=>e?`${v.home}#${e}`:v.home,as=()=>rs.on||V.role==="admin";function hn(){let e=Ml.find(t=>t===location.hash.slice(1))??"";return e||as()||!I.loaded?e:"mine"}var dn=e=>`${v.home}/visits/${e}`,un=e=>b(k(e),{bad:!0});function Bt(){return/\/visits\/([^/]+)$/.exec(location.pathname)?.[1]??null}function Vt(e){location.pathname+location.hash!==e&&history.pushState(null,"",e),ls()}function ls(){let e=Bt();!e&&hn()==="past"&&S.status==="open"&&jt.search().catch(un),e&&_.id!==e&&_.hold(e),e&&_.open(),q()}function Ko(){vt.keepOnly([...I.rows.map(({visit:e})=>e),_.id])}function Nl(e){return vt.open(e),new Le({client:S,visit:e,role:"provider",organisation:Vo,language:Bo,redraw:q,asideOpens:matchMedia("(min-width: 1100px)").matches,aside:()=>({label:n("Case Information"),short:n("Case"),view:()=>l`<h2>${n("Case Information")}</h2>
          ${_.visit?Jo(e,_.visit.parties.patient.name,_.visit.tags??[]):h}
          ${gt(vt.get(e)?.info,S.now(),ji)}`}),more:()=>yt.inSession(_.visit),patient:()=>vt.get(e)?.info?.patient??null,back:t=>t?l`<a
            class="whose"
            href=${v.home}
            aria-label=${n("Sessions List")}
            title=${n("Sessions List")}
            @click=${Ft(v.home)}
            >${t}</a>`:l`<a class="btn plain back" href=${v.home} @click=${Ft(v.home)}
            ><span class="full">${n("Sessions List")}</span
            ><span class="short points" aria-hidden="true">←</span></a>`})}function Jo(e,t,s,i=()=>{}){let o=v.tags.length||s.length;return Ve(s,o?()=>yt.tag({visit:e,name:t,tags:s},i):null,t)}function Qo({visit:e}){if(e!==null){if(!as()||!I.rows.some(({visit:t})=>t===e))return yt.story(e);Vt(v.home),queueMicrotask(()=>{let t=Sl.querySelector(`[data-visit="${CSS.escape(e)}"]`);t?.scrollIntoView({block:"center"}),t?.querySelector("button")?.focus()})}}function Ft(e){return t=>{t.metaKey||t.ctrlKey||t.shiftKey||t.button||(t.preventDefault(),Vt(e))}}function Zo(e){_.hold(e),Vt(dn(e))}function Ol({visit:e,name:t,tags:s=[]}){yt.tag({visit:e,name:t,tags:s},i=>jt.tagged(e,i))}function Ll({gone:e}){let t=/^#of=(.+)$/.exec(location.hash)?.[1];t&&!Bt()&&(history.replaceState(null,"",v.home),Qo({visit:decodeURIComponent(t)})),Ko(),e?.name&&e.why==="claimed"&&e.by&&e.by.id!==V.id&&E(n("{by} has claimed {name}.",{by:e.by.name,name:e.name}))}function Il(e){let t=_.current;return To(e,{boot:v,onCall:rs,loaded:I.loaded,waiting:I.rows.length,own:t&&{visit:t,path:dn(t.id)},here:Bt()?"":v.here,bell:cn.button(),languages:Bo.view(),follows:Ft,signOut:()=>Ut.hush()})}function Dl(){let e=hn(),t=Yt.of(V.id),s=Do(I.rows,Ht),i={all:s,rows:Po(s,Ht,{limits:I.limits,now_ms:S.now()}),parts:Uo,sift:Ht,changeSift:a=>{let c=a.order!==Ht.order;Ht=a,Uo.begin({reordered:c})},staff:I.staff,limits:I.limits,areas:v.areas??{},loaded:I.loaded,cases:vt,claims:Fo,me:V,now_ms:S.now(),onCall:rs.on,mayClaim:as(),conversations:Al,silent:!Ut.audible,tags:v.tags,emergency:v.emergency,follows:Ft,visitPath:dn,failed:un,act:{...yt.onRequests,claim:a=>Fo.claim(a),toggleCase:a=>vt.toggle(a),tag:Ol}},o={"":()=>Yo(i),mine:()=>tn(t,i,n("A session that you claim stands here until it ends.")),live:()=>tn(Yt.rows,i,n("Nobody is in a session right now.")),past:()=>_o(jt,i)},r=[["",n("On-Demand Requests"),I.rows.length],["mine",n("Mine"),t.length],["live",n("Live now"),Yt.rows.length],["past",n("Past")]];return l`${Ho(i,r.filter(([a])=>a||i.mayClaim).map(([a,c,d])=>({path:Cl(a),words:c,count:d,current:e===a})))}${e===""||!i.mayClaim?qo(i):h}${o[e]()}`}function Pl(e){let{home:t,reopen_ms:s}=v,i=()=>yt.onRequests.reopen({visit:e.id}),{id:o,tags:r=[],parties:a}=e,c=d=>{_.over?.id===o&&(_.over={..._.over,tags:d}),q()};return l`${xo(e,{home:t,me:V,reopen_ms:s,now_ms:S.now(),follows:Ft,reopen:i})}
    ${Jo(o,a.patient.name,r,c)}`}function Rl(){let e=Bt();e||(_.over=null);let t=e&&_.id===e&&_.session?"session":e&&_.over?"over":e&&_.id?"opening":"list",s={list:Dl,over:()=>_.over?Pl(_.over):h,opening:()=>l`<h1>${n("Your session")}</h1>
        <p class="quiet">${n("Opening…")}</p>`,session:()=>h},i=I.rows.length,o={session:_.session?.title,over:n("Session ended"),opening:n("Your session"),list:as()?n("On-Demand Requests"):n("Sessions List")};ln.show(l`${Hn(xl,El())} ${t==="session"?h:Il(s[t]())}
    ${_.session?l`<div class="parked" ?hidden=${t!=="session"}>${_.session.view()}</div>`:h}`,{key:t,title:`${i&&rs.on?`(${i}) `:""}${o[t]}`})}S.subscribe("sessions",e=>{Yt.take(e),q()});S.addEventListener("welcome",({detail:e})=>{e.visit&&!_.id&&_.hold(e.visit),e.resumed||_.enter(),hn()==="past"&&jt.rows===null&&jt.search().catch(un)});jo(S,{signIn:zo,cleared:()=>{Ut.hush(),_.session?.close()}});addEventListener("popstate",ls);addEventListener("hashchange",ls);ls();ko();ln.begin();
/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */
/**
 * @license
 * Copyright 2018 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */
/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */
/**
 * @license
 * Copyright 2021 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */
