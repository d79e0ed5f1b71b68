var Te=globalThis,bs=s=>s,xt=Te.trustedTypes,$s=xt?xt.createPolicy("lit-html",{createHTML:s=>s}):void 0,xe="$lit$",W=`lit$${Math.random().toFixed(9).slice(2)}$`,_e="?"+W,On=`<${_e}>`,z=document,pt=()=>z.createComment(""),mt=s=>s===null||typeof s!="object"&&typeof s!="function",Se=Array.isArray,Ss=s=>Se(s)||typeof s?.[Symbol.iterator]=="function",ke=`[ 	
\f\r]`,dt=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,ys=/-->/g,ks=/>/g,V=RegExp(`>|${ke}(?:([^\\s"'>=/]+)(${ke}*=${ke}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),Ts=/'/g,xs=/"/g,As=/^(?:script|style|textarea|title)$/i,Ae=s=>(t,...e)=>({_$litType$:s,strings:t,values:e}),c=Ae(1),Ee=Ae(2),Pr=Ae(3),S=Symbol.for("lit-noChange"),u=Symbol.for("lit-nothing"),_s=new WeakMap,G=z.createTreeWalker(z,129);function Es(s,t){if(!Se(s)||!s.hasOwnProperty("raw"))throw Error("invalid template strings array");return $s!==void 0?$s.createHTML(t):t}var Ms=(s,t)=>{let e=s.length-1,i=[],o,r=t===2?"<svg>":t===3?"<math>":"",a=dt;for(let l=0;l<e;l++){let h=s[l],d,m,p=-1,f=0;for(;f<h.length&&(a.lastIndex=f,m=a.exec(h),m!==null);)f=a.lastIndex,a===dt?m[1]==="!--"?a=ys:m[1]!==void 0?a=ks:m[2]!==void 0?(As.test(m[2])&&(o=RegExp("</"+m[2],"g")),a=V):m[3]!==void 0&&(a=V):a===V?m[0]===">"?(a=o??dt,p=-1):m[1]===void 0?p=-2:(p=a.lastIndex-m[2].length,d=m[1],a=m[3]===void 0?V:m[3]==='"'?xs:Ts):a===xs||a===Ts?a=V:a===ys||a===ks?a=dt:(a=V,o=void 0);let w=a===V&&s[l+1].startsWith("/>")?" ":"";r+=a===dt?h+On:p>=0?(i.push(d),h.slice(0,p)+xe+h.slice(p)+W+w):h+W+(p===-2?l:w)}return[Es(s,r+(s[e]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),i]},ft=class s{constructor({strings:t,_$litType$:e},i){let o;this.parts=[];let r=0,a=0,l=t.length-1,h=this.parts,[d,m]=Ms(t,e);if(this.el=s.createElement(d,i),G.currentNode=this.el.content,e===2||e===3){let p=this.el.content.firstChild;p.replaceWith(...p.childNodes)}for(;(o=G.nextNode())!==null&&h.length<l;){if(o.nodeType===1){if(o.hasAttributes())for(let p of o.getAttributeNames())if(p.endsWith(xe)){let f=m[a++],w=o.getAttribute(p).split(W),$=/([.?@])?(.*)/.exec(f);h.push({type:1,index:r,name:$[2],strings:w,ctor:$[1]==="."?St:$[1]==="?"?At:$[1]==="@"?Et:J}),o.removeAttribute(p)}else p.startsWith(W)&&(h.push({type:6,index:r}),o.removeAttribute(p));if(As.test(o.tagName)){let p=o.textContent.split(W),f=p.length-1;if(f>0){o.textContent=xt?xt.emptyScript:"";for(let w=0;w<f;w++)o.append(p[w],pt()),G.nextNode(),h.push({type:2,index:++r});o.append(p[f],pt())}}}else if(o.nodeType===8)if(o.data===_e)h.push({type:2,index:r});else{let p=-1;for(;(p=o.data.indexOf(W,p+1))!==-1;)h.push({type:7,index:r}),p+=W.length-1}r++}}static createElement(t,e){let i=z.createElement("template");return i.innerHTML=t,i}};function K(s,t,e=s,i){if(t===S)return t;let o=i!==void 0?e._$Co?.[i]:e._$Cl,r=mt(t)?void 0:t._$litDirective$;return o?.constructor!==r&&(o?._$AO?.(!1),r===void 0?o=void 0:(o=new r(s),o._$AT(s,e,i)),i!==void 0?(e._$Co??=[])[i]=o:e._$Cl=o),o!==void 0&&(t=K(s,o._$AS(s,t.values),o,i)),t}var _t=class{constructor(t,e){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=e}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:e},parts:i}=this._$AD,o=(t?.creationScope??z).importNode(e,!0);G.currentNode=o;let r=G.nextNode(),a=0,l=0,h=i[0];for(;h!==void 0;){if(a===h.index){let d;h.type===2?d=new st(r,r.nextSibling,this,t):h.type===1?d=new h.ctor(r,h.name,h.strings,this,t):h.type===6&&(d=new Mt(r,this,t)),this._$AV.push(d),h=i[++l]}a!==h?.index&&(r=G.nextNode(),a++)}return G.currentNode=z,o}p(t){let e=0;for(let i of this._$AV)i!==void 0&&(i.strings!==void 0?(i._$AI(t,i,e),e+=i.strings.length-2):i._$AI(t[e])),e++}},st=class s{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,e,i,o){this.type=2,this._$AH=u,this._$AN=void 0,this._$AA=t,this._$AB=e,this._$AM=i,this.options=o,this._$Cv=o?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,e=this._$AM;return e!==void 0&&t?.nodeType===11&&(t=e.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,e=this){t=K(this,t,e),mt(t)?t===u||t==null||t===""?(this._$AH!==u&&this._$AR(),this._$AH=u):t!==this._$AH&&t!==S&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):Ss(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==u&&mt(this._$AH)?this._$AA.nextSibling.data=t:this.T(z.createTextNode(t)),this._$AH=t}$(t){let{values:e,_$litType$:i}=t,o=typeof i=="number"?this._$AC(t):(i.el===void 0&&(i.el=ft.createElement(Es(i.h,i.h[0]),this.options)),i);if(this._$AH?._$AD===o)this._$AH.p(e);else{let r=new _t(o,this),a=r.u(this.options);r.p(e),this.T(a),this._$AH=r}}_$AC(t){let e=_s.get(t.strings);return e===void 0&&_s.set(t.strings,e=new ft(t)),e}k(t){Se(this._$AH)||(this._$AH=[],this._$AR());let e=this._$AH,i,o=0;for(let r of t)o===e.length?e.push(i=new s(this.O(pt()),this.O(pt()),this,this.options)):i=e[o],i._$AI(r),o++;o<e.length&&(this._$AR(i&&i._$AB.nextSibling,o),e.length=o)}_$AR(t=this._$AA.nextSibling,e){for(this._$AP?.(!1,!0,e);t!==this._$AB;){let i=bs(t).nextSibling;bs(t).remove(),t=i}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},J=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,e,i,o,r){this.type=1,this._$AH=u,this._$AN=void 0,this.element=t,this.name=e,this._$AM=o,this.options=r,i.length>2||i[0]!==""||i[1]!==""?(this._$AH=Array(i.length-1).fill(new String),this.strings=i):this._$AH=u}_$AI(t,e=this,i,o){let r=this.strings,a=!1;if(r===void 0)t=K(this,t,e,0),a=!mt(t)||t!==this._$AH&&t!==S,a&&(this._$AH=t);else{let l=t,h,d;for(t=r[0],h=0;h<r.length-1;h++)d=K(this,l[i+h],e,h),d===S&&(d=this._$AH[h]),a||=!mt(d)||d!==this._$AH[h],d===u?t=u:t!==u&&(t+=(d??"")+r[h+1]),this._$AH[h]=d}a&&!o&&this.j(t)}j(t){t===u?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},St=class extends J{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===u?void 0:t}},At=class extends J{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==u)}},Et=class extends J{constructor(t,e,i,o,r){super(t,e,i,o,r),this.type=5}_$AI(t,e=this){if((t=K(this,t,e,0)??u)===S)return;let i=this._$AH,o=t===u&&i!==u||t.capture!==i.capture||t.once!==i.once||t.passive!==i.passive,r=t!==u&&(i===u||o);o&&this.element.removeEventListener(this.name,this,i),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},Mt=class{constructor(t,e,i){this.element=t,this.type=6,this._$AN=void 0,this._$AM=e,this.options=i}get _$AU(){return this._$AM._$AU}_$AI(t){K(this,t)}},Ns={M:xe,P:W,A:_e,C:1,L:Ms,R:_t,D:Ss,V:K,I:st,H:J,N:At,U:Et,B:St,F:Mt},Ln=Te.litHtmlPolyfillSupport;Ln?.(ft,st),(Te.litHtmlVersions??=[]).push("3.3.3");var Y=(s,t,e)=>{let i=e?.renderBefore??t,o=i._$litPart$;if(o===void 0){let r=e?.renderBefore??null;i._$litPart$=o=new st(t.insertBefore(pt(),r),r,void 0,e??{})}return o._$AI(s),o};var L={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},P=s=>(...t)=>({_$litDirective$:s,values:t}),C=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,e,i){this._$Ct=t,this._$AM=e,this._$Ci=i}_$AS(t,e){return this.update(t,e)}update(t,e){return this.render(...e)}};var Pn={},Dn=P(class extends C{constructor(){super(...arguments),this.ot=Pn}render(s,t){return t()}update(s,[t,e]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every((i,o)=>i===this.ot[o]))return S}else if(this.ot===t)return S;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,e)}});var{I:In}=Ns,Cs=s=>s;var Nt=s=>s.strings===void 0,Os=()=>document.createComment(""),it=(s,t,e)=>{let i=s._$AA.parentNode,o=t===void 0?s._$AB:t._$AA;if(e===void 0){let r=i.insertBefore(Os(),o),a=i.insertBefore(Os(),o);e=new In(r,a,s,s.options)}else{let r=e._$AB.nextSibling,a=e._$AM,l=a!==s;if(l){let h;e._$AQ?.(s),e._$AM=s,e._$AP!==void 0&&(h=s._$AU)!==a._$AU&&e._$AP(h)}if(r!==o||l){let h=e._$AA;for(;h!==r;){let d=Cs(h).nextSibling;Cs(i).insertBefore(h,o),h=d}}}return e},B=(s,t,e=s)=>(s._$AI(t,e),s),Rn={},nt=(s,t=Rn)=>s._$AH=t,Ls=s=>s._$AH,Ct=s=>{s._$AR(),s._$AA.remove()};var Me=P(class extends C{constructor(){super(...arguments),this.key=u}render(s,t){return this.key=s,t}update(s,[t,e]){return t!==this.key&&(nt(s),this.key=t),e}});var x=P(class extends C{constructor(s){if(super(s),s.type!==L.PROPERTY&&s.type!==L.ATTRIBUTE&&s.type!==L.BOOLEAN_ATTRIBUTE)throw Error("The `live` directive is not allowed on child or event bindings");if(!Nt(s))throw Error("`live` bindings can only contain a single expression")}render(s){return s}update(s,[t]){if(t===S||t===u)return t;let e=s.element,i=s.name;if(s.type===L.PROPERTY){if(t===e[i])return S}else if(s.type===L.BOOLEAN_ATTRIBUTE){if(!!t===e.hasAttribute(i))return S}else if(s.type===L.ATTRIBUTE&&e.getAttribute(i)===t+"")return S;return nt(s),t}});var gt=(s,t)=>{let e=s._$AN;if(e===void 0)return!1;for(let i of e)i._$AO?.(t,!1),gt(i,t);return!0},Ot=s=>{let t,e;do{if((t=s._$AM)===void 0)break;e=t._$AN,e.delete(s),s=t}while(e?.size===0)},Ps=s=>{for(let t;t=s._$AM;s=t){let e=t._$AN;if(e===void 0)t._$AN=e=new Set;else if(e.has(s))break;e.add(s),Yn(t)}};function qn(s){this._$AN!==void 0?(Ot(this),this._$AM=s,Ps(this)):this._$AM=s}function Wn(s,t=!1,e=0){let i=this._$AH,o=this._$AN;if(o!==void 0&&o.size!==0)if(t)if(Array.isArray(i))for(let r=e;r<i.length;r++)gt(i[r],!1),Ot(i[r]);else i!=null&&(gt(i,!1),Ot(i));else gt(this,s)}var Yn=s=>{s.type==L.CHILD&&(s._$AP??=Wn,s._$AQ??=qn)},Lt=class extends C{constructor(){super(...arguments),this._$AN=void 0}_$AT(t,e,i){super._$AT(t,e,i),Ps(this),this.isConnected=t._$AU}_$AO(t,e=!0){t!==this.isConnected&&(this.isConnected=t,t?this.reconnected?.():this.disconnected?.()),e&&(gt(this,t),Ot(this))}setValue(t){if(Nt(this._$Ct))this._$Ct._$AI(t,this);else{let e=[...this._$Ct._$AH];e[this._$Ci]=t,this._$Ct._$AI(e,this,0)}}disconnected(){}reconnected(){}};var Ne=new WeakMap,Q=P(class extends Lt{render(s){return u}update(s,[t]){let e=t!==this.G;return e&&this.rt(void 0),(e||this.lt!==this.ct)&&(this.G=t,this.ht=s.options?.host,this.rt(this.ct=s.element)),u}rt(s){if(this.G!==void 0)if(this.isConnected||(s=void 0),typeof this.G=="function"){let t=this.ht??globalThis,e=Ne.get(t);e===void 0&&(e=new WeakMap,Ne.set(t,e)),e.get(this.G)!==void 0&&this.G.call(this.ht,void 0),e.set(this.G,s),s!==void 0&&this.G.call(this.ht,s)}else this.G.value=s}get lt(){return typeof this.G=="function"?Ne.get(this.ht??globalThis)?.get(this.G):this.G?.value}disconnected(){this.lt===this.ct&&this.rt(void 0)}reconnected(){this.rt(this.ct)}});var Ds=(s,t,e)=>{let i=new Map;for(let o=t;o<=e;o++)i.set(s[o],o);return i},D=P(class extends C{constructor(s){if(super(s),s.type!==L.CHILD)throw Error("repeat() can only be used in text expressions")}dt(s,t,e){let i;e===void 0?e=t:t!==void 0&&(i=t);let o=[],r=[],a=0;for(let l of s)o[a]=i?i(l,a):a,r[a]=e(l,a),a++;return{values:r,keys:o}}render(s,t,e){return this.dt(s,t,e).values}update(s,[t,e,i]){let o=Ls(s),{values:r,keys:a}=this.dt(t,e,i);if(!Array.isArray(o))return this.ut=a,r;let l=this.ut??=[],h=[],d,m,p=0,f=o.length-1,w=0,$=r.length-1;for(;p<=f&&w<=$;)if(o[p]===null)p++;else if(o[f]===null)f--;else if(l[p]===a[w])h[w]=B(o[p],r[w]),p++,w++;else if(l[f]===a[$])h[$]=B(o[f],r[$]),f--,$--;else if(l[p]===a[$])h[$]=B(o[p],r[$]),it(s,h[$+1],o[p]),p++,$--;else if(l[f]===a[w])h[w]=B(o[f],r[w]),it(s,o[p],o[f]),f--,w++;else if(d===void 0&&(d=Ds(a,w,$),m=Ds(l,p,f)),d.has(l[p]))if(d.has(l[f])){let T=m.get(a[w]),y=T!==void 0?o[T]:null;if(y===null){let Tt=it(s,o[p]);B(Tt,r[w]),h[w]=Tt}else h[w]=B(y,r[w]),it(s,o[p],y),o[T]=null;w++}else Ct(o[f]),f--;else Ct(o[p]),p++;for(;w<=$;){let T=it(s,h[$+1]);B(T,r[w]),h[w++]=T}for(;p<=f;){let T=o[p++];T!==null&&Ct(T)}return this.ut=a,nt(s,h),S}});globalThis.HTMLFontElement&&Object.defineProperty(HTMLFontElement.prototype,"data",{set(s){this.textContent=s}});function Pt({name:s,logo:t},e=""){return t?c`<img class="logo" src=${t} alt=${e} />`:c`<span class="mark" aria-hidden="true">${s[0].toUpperCase()}</span>`}async function Is(s,t){let e=new RTCPeerConnection({bundlePolicy:"max-bundle",iceServers:t});try{await e.setRemoteDescription({type:"offer",sdp:s});let i=new Promise(o=>{e.addEventListener("iceconnectionstatechange",()=>{["connected","completed","failed"].includes(e.iceConnectionState)&&o(null)}),setTimeout(o,8e3,null)});return await e.setLocalDescription(),await i,Hn([...(await e.getStats()).values()])}finally{e.close()}}function Hn(s){let t=new Map(s.map(i=>[i.id,i])),e=s.filter(({type:i,state:o})=>i==="candidate-pair"&&o==="succeeded").map(i=>t.get(i.localCandidateId)?.candidateType==="relay"?"turn":t.get(i.remoteCandidateId)?.protocol);return["udp","tcp","turn"].find(i=>e.includes(i))??"none"}var Rs=["en",s=>s===1?0:1,{}],[Ce,qs,wt]=globalThis.pageLanguage??Rs;function Ws(...s){[Ce,qs,wt]=s.length?s:Rs}function b(s){let t,e;return()=>((t===void 0||e!==wt)&&([t,e]=[s(),wt]),t)}function Ys(s,t){let e=new Map(Object.entries(t));return s.replace(/\{(\w+)\}/g,(i,o)=>e.has(o)?Bn(String(e.get(o))):i)}var jn=/[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/,Un=/^[\d.,:\s]*$/;function Bn(s){return(globalThis.document?.dir==="rtl"?!Un.test(s):jn.test(s))?`⁨${s}⁩`:s}function n(s,t={}){return Ys(wt[s]?.[0]??s,t)}function Z(s,t,e,i={}){let o=wt[s]?.[qs(e)]??(e===1?s:t);return Ys(o,{n:e,...i})}function vt(){let s=Ce.split("-")[0],t=globalThis.navigator?.languages?.find(e=>e.split("-")[0]===s)??Ce;return new Intl.Locale(t,{numberingSystem:"latn",calendar:"gregory"}).toString()}var Hs=3e3,Oe=b(()=>({"Safari on iOS":n("Open Settings, then Apps, then Safari, then Camera and Microphone, choose Allow, and reload this page."),Safari:n("In the menu bar choose Safari, then Settings for This Website, set Camera and Microphone to Allow, and reload this page."),Firefox:n("Click the crossed-out camera or microphone at the left of the address, remove the block, and reload this page."),Chromium:n("Click the icon at the left of the address, turn on Camera and Microphone, and reload this page.")})),Le=b(()=>({iOS:n("Open Settings, then Apps, then this browser, turn on Camera and Microphone, and reload this page."),macOS:n("Open System Settings, then Privacy & Security, turn on this browser under Camera and under Microphone, and start the browser again."),Windows:n("Open Settings, then Privacy & security, turn on access for desktop apps under Camera and under Microphone, then press Try again."),Android:n("Open Settings, then Apps, then this browser, then Permissions, allow Camera and Microphone, and reload this page."),other:n("Open the privacy settings of this device, let this browser use camera and microphone, and reload this page.")})),Pe=()=>n("Tell the clinic. In the waiting room you can continue on another device, where it works."),js=()=>n("Unplug it and plug it in again, or choose another, then press Try again."),De=()=>n("Close other programs or tabs with video calls, then press Try again."),Ie=()=>n("This page was opened without encryption (http)."),Dt=()=>n("For picture and sound use a current Chrome, Edge, Firefox or Safari. All else works here too."),Re=(s="")=>s?n("The clinic can call you at {phone}.",{phone:s.replaceAll(" "," ")}):"",It=(s="")=>({what:n("This browser cannot make video calls."),todo:`${Dt()} ${Re(s)}`.trim()}),Bs=()=>({what:n("Your network blocks video calls."),todo:n("Try mobile data or another Wi-Fi. If you stay, the clinic can call you by phone.")}),Fn=(s,t)=>({video:{denied:[n("This browser does not let the page use the camera."),Oe()[s]],system:[n("This device does not let the browser use the camera."),Le()[t]],framed:[n("The site that shows this page does not let it use the camera."),Pe()],silent:[n("Your camera gives no picture."),n("It may be covered or switched off, or another program has taken it. The page goes on by itself as soon as it is back.")],missing:[n("No camera was found."),n("Connect one if you have it: the page takes it by itself. You can also join without a camera.")],busy:[n("The camera is in use by another program."),De()],insecure:[Ie(),n("Browsers give the camera only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use a camera."),Dt()],failed:[n("The camera could not be started."),js()]},audio:{denied:[n("This browser does not let the page use the microphone."),Oe()[s]],system:[n("This device does not let the browser use the microphone."),Le()[t]],framed:[n("The site that shows this page does not let it use the microphone."),Pe()],silent:[n("Your microphone gives no sound."),n("It may be switched off at the headset, or another program has taken it. The page goes on by itself as soon as it is back.")],missing:[n("No microphone was found."),n("Connect one if you have it: the page takes it by itself. You can also join without a microphone.")],busy:[n("The microphone is in use by another program."),De()],insecure:[Ie(),n("Browsers give the microphone only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use a microphone."),Dt()],failed:[n("The microphone could not be started."),js()]},both:{denied:[n("This browser does not let the page use camera and microphone."),Oe()[s]],system:[n("This device does not let the browser use camera and microphone."),Le()[t]],framed:[n("The site that shows this page does not let it use camera and microphone."),Pe()],silent:[n("Your camera gives no picture and your microphone no sound."),n("Another program or a phone call may have taken them. The page goes on by itself as soon as they are back.")],missing:[n("No camera and no microphone were found."),n("Connect them if you have them: the page takes them by itself.")],busy:[n("Camera and microphone are in use by another program."),De()],insecure:[Ie(),n("Browsers give camera and microphone only to https pages. Ask for the https link.")],unsupported:[n("This browser has no way to use camera and microphone."),Dt()],failed:[n("Camera and microphone could not be started."),n("Unplug them and plug them in again, or choose others, then press Try again.")]}});function Vn(s=navigator.userAgent,t=navigator.maxTouchPoints){return/iPhone|iPad|iPod/.test(s)||/Macintosh/.test(s)&&t>1?"Safari on iOS":/Firefox\//.test(s)?"Firefox":/Chrom(e|ium)\//.test(s)?"Chromium":/Safari\//.test(s)?"Safari":"Chromium"}function Gn(s=navigator.userAgent,t=navigator.maxTouchPoints){return/iPhone|iPad|iPod/.test(s)||/Macintosh/.test(s)&&t>1?"iOS":/Android/.test(s)?"Android":/Macintosh/.test(s)?"macOS":/Windows/.test(s)?"Windows":"other"}function I(s,t){let e=i=>s[i]==="on"&&t?.isSilent(i)?"silent":s[i];return{audio:e("audio"),video:e("video")}}function X({video:s,audio:t},e=Vn(),i=Gn()){let o=Fn(e,i);return(s===t?[["both",s]]:[["video",s],["audio",t]]).flatMap(([a,l])=>{if(l===null||l==="on"||l==="off")return[];let[h,d]=o[a][l];return[{what:h,todo:d}]})}function Fs(s,t){if(!s?.getAudioTracks().length||!globalThis.AudioContext)return()=>{};let e=new AudioContext,i=e.createAnalyser();i.fftSize=1024,e.createMediaStreamSource(s).connect(i);let o=new Float32Array(i.fftSize),r=setInterval(()=>{i.getFloatTimeDomainData(o);let a=Math.sqrt(o.reduce((l,h)=>l+h*h,0)/o.length);t(Math.min(1,Math.max(0,1+Math.log10(Math.max(a,1e-5))/2.4)))},100);return()=>{clearInterval(r),e.close()}}var Us=(s,t)=>new Promise((e,i)=>{let r=setTimeout(()=>i(new DOMException("It takes too long.","TimeoutError")),t);s.then(e,i).finally(()=>clearTimeout(r))});async function zn(s,t){if(!t)return s.destination;let e=s.createMediaStreamDestination(),i=new Audio;return i.srcObject=e.stream,await i.setSinkId(t),await i.play(),e}async function tt({notes:s=[523.25,659.25],given:t=null,speaker:e=""}={}){let i=t??new AudioContext;try{await Us(i.resume(),Hs);let o=await Us(zn(i,e),Hs),r=i.currentTime+.03;if(s.forEach((a,l)=>{let h=r+l*.22,d=new OscillatorNode(i,{frequency:a,type:"sine"}),m=new GainNode(i,{gain:0});m.gain.setValueAtTime(0,h),m.gain.linearRampToValueAtTime(.22,h+.02),m.gain.exponentialRampToValueAtTime(8e-4,h+.55),d.connect(m).connect(o),d.start(h),d.stop(h+.6)}),await new Promise(a=>setTimeout(a,220*s.length+600)),i.currentTime<r)throw new DOMException("No sound came out.","TimeoutError")}finally{t===null&&i.close().catch(()=>{})}}function Rt(s){return s instanceof DOMException&&s.name==="TimeoutError"?n("No sound started. Connect a speaker or headphones, and press again."):n("The browser blocked the sound. Press again.")}async function Vs(s){let[t,e]=await Promise.all([Jn(s),Kn(s)]);return e==="none"?"blocked":t}async function Kn(s){try{let{sdp:t,ice_servers:e}=await s.request({type:"media.probe"}),i=await Is(t,e);return s.request({type:"media.probed",path:i}).catch(()=>{}),i}catch{return null}}async function Jn(s){let t=[];for(let i=0;i<3;i+=1){let o=performance.now();try{await s.request({type:"ping"},{timeout_ms:3e3}),t.push(performance.now()-o)}catch{t.push(1/0)}}let e=t.sort((i,o)=>i-o)[1];return e<200?"good":e<600?"fair":"poor"}var Qn={not_signed_in:()=>n("You are not signed in here. Please sign in again."),too_many_sockets:()=>n("Too many pages are open. Close some of them, or try again in a moment."),not_allowed:()=>n("You may not do this."),not_found:()=>n("There is no such visit here."),wrong_status:()=>n("This visit has moved on; that is no longer possible."),already_claimed:({by:s})=>s?n("{name} has claimed this visit.",s):n("Someone else has claimed this visit."),not_on_call:()=>n("Go On-Call first."),other_area:()=>n("This request is in a waiting area in which you do not work."),in_session:()=>n("End or return your live session first."),front_desk:()=>n("The front desk looks at this request first."),not_licensed:()=>n("You are not licensed where this patient is."),at_capacity:()=>n("All places for calls are taken. The patient keeps the place in line. Try again in a moment."),invalid_answer:()=>n("This answer cannot be kept."),guide_incomplete:()=>n("Some steps of the setup guide are still open."),bad_sdp:()=>n("Your browser's picture and sound cannot be used here."),room_full:()=>n("There is no place left in this session."),limit_reached:()=>n("No more can be kept in this visit."),unavailable:()=>n("The server cannot save right now. Please try again in a moment."),closed:()=>n("The connection was closed."),offline:()=>n("Not connected. Nothing was changed."),timeout:()=>n("The server did not answer in time.")};function A(s){let t=s;return Qn[t.code]?.(t.details??{})??t.message}var Zn=9e3,Xn=400;function bt(s,t){let e=document.querySelector(`.${s}`);return e||(e=document.createElement("div"),e.className=s,e.setAttribute("role",t),document.body.append(e)),e}function zs(){bt("toasts","status"),bt("announcer","status").classList.add("sr")}function Ks(){let s=()=>[...document.querySelectorAll("details.more[open]")].filter(to);document.addEventListener("keydown",({key:t})=>t==="Escape"&&s().forEach(qe));for(let t of["pointerdown","focusin"])document.addEventListener(t,({target:e})=>{for(let i of s())e instanceof Node&&i.contains(e)||(i.open=!1)})}var to=s=>s instanceof HTMLDetailsElement;function qe(s){let t=s.closest("details");t&&(t.open=!1,t.querySelector("summary")?.focus())}function Js(){let{activeElement:s}=document;return s instanceof HTMLElement?s:null}var Gs=0;function We(){let{classList:s}=document.documentElement;s.add("settling"),clearTimeout(Gs),Gs=setTimeout(()=>s.remove("settling"),Xn)}function Qs(s,t){We(),s.remove(),t?.isConnected&&t.focus()}function E(s){let t=bt("announcer","status");t.textContent=t.textContent===s?`${s} `:s}function v(s,{bad:t=!1}={}){let e=bt("toasts","status"),i=document.createElement("div");i.className=`toast arrive${t?" bad":""}`;let o=()=>i.remove(),r=()=>setTimeout(()=>i.matches(":hover, :focus-within")?r():o(),Zn);for(Y(c`<span>${s}</span
      ><button type="button" aria-label=${n("Close this message")} @click=${o}>✕</button>`,i),e.append(i);e.children.length>3;)e.firstElementChild?.remove();r()}function Zs(){bt("toasts","status").replaceChildren()}function ot({title:s,text:t,yes:e,no:i,also:o,danger:r=!1}){return new Promise(a=>{let l=document.createElement("dialog"),h=Js();l.className="ask",l.setAttribute("aria-labelledby","ask-title"),l.setAttribute("aria-describedby","ask-text"),Y(c`<form method="dialog">
        <h2 id="ask-title">${s}</h2>
        <p id="ask-text">${t}</p>
        <div class=${o?"choose":"row"}>
          <button class="btn" value="no" autofocus>${i}</button>
          ${o?c`<button class="btn" value="also">${o}</button>`:u}
          <button class="btn ${r?"danger":"main"}" value="yes">${e}</button>
        </div>
      </form>`,l),l.addEventListener("close",()=>{Qs(l,h);let{returnValue:d}=l;a(d==="yes"||d==="also"?d:"")}),document.body.append(l),l.showModal()})}function Xs({title:s,text:t,fields:e,yes:i,no:o,danger:r=!1}){return new Promise(a=>{let l=document.createElement("dialog"),h=Js(),d=null;l.className="ask",l.setAttribute("aria-labelledby","fill-title"),l.setAttribute("aria-describedby","fill-text"),Y(c`<form class="stack" @submit=${p=>{p.preventDefault();let f=[...new FormData(p.currentTarget)];d=Object.fromEntries(f.map(([w,$])=>[w,String($)])),l.close()}}>
        <h2 id="fill-title">${s}</h2>
        <p id="fill-text">${t}</p>
        ${e}
        <div class="row">
          <button type="button" class="btn" @click=${()=>l.close()}>${o}</button>
          ${i?c`<button class="btn ${r?"danger":"main"}">${i}</button>`:u}
        </div>
      </form>`,l),l.addEventListener("close",()=>{Qs(l,h),a(d)}),document.body.append(l),l.showModal()})}function ti(s,{kept:t,blocked:e,closed:i}){let{status:o,code:r,slow:a}=s,l=u;if(o==="retrying"||o==="connecting"&&a)l=c`<div class="banner">
      <span>${s.blocked?e:n("Connection lost. Trying again by itself.")} ${t}</span>
    </div>`;else if(o==="closed"&&r!==1e3){let{text:h,label:d,act:m}=i[String(r)]??i.other;l=c`<div class="banner closed">
      <span>${h}</span><button type="button" class="btn" @click=${m}>${d}</button>
    </div>`}return c`<div role="status">${l}</div>`}function ei(s){let t=!1;return()=>{t||(t=!0,queueMicrotask(()=>{t=!1,s()}))}}var _=class extends Error{constructor(t,e,i={}){super(e),this.name="SignallingError",this.code=t,this.details=i}},et=s=>s instanceof _?s.code:"";var qt="draft:",si="message/";function ii(s,t,e){try{let{at_ms:i,values:o}=JSON.parse((e??sessionStorage).getItem(qt+s)??"{}");return t-i<72e5?o:{}}catch{return{}}}function ni(s,t,e,i){try{(i??sessionStorage).setItem(qt+s,JSON.stringify({at_ms:e,values:t}))}catch{}}var Ye=s=>si+s;function oi({messages:s=!1}={}){try{for(let t of Object.keys(sessionStorage))t.startsWith(qt)&&(s||!t.startsWith(qt+si))&&sessionStorage.removeItem(t)}catch{}}var eo=b(()=>["",n("You are next"),n("You are second in line"),n("You are third in line"),n("You are fourth in line"),n("You are fifth in line"),n("You are sixth in line"),n("You are seventh in line"),n("You are eighth in line"),n("You are ninth in line"),n("You are tenth in line")]);function ri(s){let t=Math.max(0,Math.floor(s/1e3)),e=o=>String(o).padStart(2,"0"),i=Math.floor(t/3600);return`${i?`${i}:${e(Math.floor(t/60)%60)}`:Math.floor(t/60)}:${e(t%60)}`}function ai(s){let t=Math.round(s/6e4);return s<45e3?n("less than a minute"):Z("{n} minute","{n} minutes",Math.max(1,t))}function H(s){return new Intl.DateTimeFormat(vt(),{hour:"numeric",minute:"2-digit"}).format(s)}function ci(s){return new Intl.DateTimeFormat(vt(),{month:"short",day:"numeric",hour:"numeric",minute:"2-digit"}).format(s)}function He(s){return s==null?n("You are in line"):eo()[s]??n("You are number {place} in line",{place:s})}function je(s,t){if(s===null||t===null||s===void 0||t===void 0)return null;let e=Math.max(0,Math.floor(s/6e4)),i=Math.max(1,Math.ceil(t/6e4));return e+i>=240?n("More than two hours from here"):i>120?n("Usually one to three hours from here"):i>90?n("Usually half an hour to two hours from here"):i<=1?n("Usually within a minute from here"):e===i?Z("Usually about {n} minute from here","Usually about {n} minutes from here",i):n("Usually {low} to {high} minutes from here",{low:Math.max(1,e),high:i})}function li(s){return s?Z("{n} clinician is on call","{n} clinicians are on call",s):n("Nobody is on call at this moment; your place is kept")}function rt(s){let t=s.replace(/^(dr|mr|mrs|ms|prof)\.?\s+/i,"").split(/\s+/).filter(i=>/\p{L}/u.test(i));return[t[0],t.length>1?t.at(-1):""].map(i=>[...i??""][0]??"").join("").toUpperCase()||"?"}var so=b(()=>new Intl.DisplayNames(vt(),{type:"language"})),io=b(()=>({ase:n("American Sign Language")}));function hi(s){try{return io()[s]??so().of(s)??s}catch{return s}}function ui(s){let t=new Date(`${s}T00:00:00Z`);return Number.isNaN(t.getTime())?s:new Intl.DateTimeFormat(vt(),{dateStyle:"long",timeZone:"UTC"}).format(t)}var Ue=s=>`tel:${s.replace(/[^+\d]/g,"")}`;function F(s,t,e=document){let i=e.querySelector(s);if(i instanceof t)return i;throw new TypeError(`There is no ${t.name} ${s} on this page.`)}var Wt=(s="#boot")=>JSON.parse(F(s,HTMLScriptElement).text),Be=s=>(document.documentElement.dataset.base??"")+s;var at,Fe=()=>(at??=document.querySelector("#boot")?Wt():{},at.texts),di=s=>Fe()!==void 0&&Fe()?.[s]===void 0;function pi(s){let t=new DOMParser().parseFromString(s,"text/html").querySelector("#boot")?.textContent;t&&(at={...at,texts:{...at?.texts,...JSON.parse(t).texts}})}function j(s){let{lang:t}=document.documentElement,e=Fe()?.[t]?.[s];return e===void 0?{text:s,lang:at?.main}:{text:e,lang:t}}function O(s){let{text:t,lang:e}=j(s);return c`<bdi lang=${e??u}>${t}</bdi>`}var ct=class{lines=[];unread=0;open=!1;#t;#e;#s;#n;#i;#o=null;#a=!1;#c;constructor(t,e,i,o,r=null){this.#t=t,this.#e=e,this.#s=i,this.#n=r,this.#i=o,this.#c=ii(Ye(e),Date.now()).text??""}get draft(){return this.#c}set draft(t){this.#c=t,ni(Ye(this.#e),{text:t},Date.now())}start(){this.#o??=this.#t.subscribe(`chat/${this.#e}`,t=>this.#r(t))}stop(){this.#o?.(),this.#o=null}look(t){this.open=t,t&&(this.unread=0)}isMine(t){return t.party===this.#s&&(this.#n===null||t.name===this.#n)}async send(t){await this.#t.request({type:"chat.send",visit:this.#e,text:t})}#r(t){if(t.type==="chat.snapshot"){let i=new Set(this.lines.map(({id:r})=>r)),o=t.lines.filter(r=>!i.has(r.id)&&!this.isMine(r));return this.#a&&!this.open&&(this.unread+=o.length),this.#a=!0,this.lines=t.lines,this.#i(null)}this.lines=[...this.lines,t.line];let e=this.isMine(t.line)?null:t.line;return e&&!this.open&&(this.unread+=1),this.#i(e)}};function no(s,t,e){s.preventDefault();let i=s.currentTarget,o=F("textarea",HTMLTextAreaElement,i),r=F("button",HTMLButtonElement,i),a=o.value.trim();a&&(r.disabled=!0,t.send(a).then(()=>{o.value.trim()===a&&(t.draft="",o.value="")},e).finally(()=>{r.disabled=!1,o.focus()}))}function oo(s){s.key!=="Enter"||s.shiftKey||s.isComposing||(s.preventDefault(),s.currentTarget.form?.requestSubmit())}var ro=/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}’”])/;function ao(s){return s.split(ro).map((t,e)=>e%2?{href:t}:t)}function co(s){return ao(s).map(t=>typeof t=="string"?t:c`<a href=${t.href} target="_blank" rel="noopener noreferrer">${t.href}</a>`)}var Ve=({party:s,text:t})=>s==="clinic"?j(t):{text:t,lang:void 0};function Ge(s){let{text:t,lang:e}=Ve(s);return c`<p dir="auto" lang=${e??u}>${co(t)}</p>`}function Yt(s,{may:t,failed:e,hint:i=""}){let o=r=>no(r,s,e);return c`<section class="chat" aria-label=${n("Messages")}>
    <div class="lines" role="log" tabindex="0" aria-label=${n("Messages")}><div>
      ${s.lines.length?u:c`<p class="quiet small">${n("Nothing has been written yet.")}</p>`}
      ${D(s.lines,({id:r})=>r,r=>c`<div class="line" ?data-mine=${s.isMine(r)}>
            <span class="small quiet"><bdi>${s.isMine(r)?n("You"):r.name}</bdi> ·
              <span class="num">${H(r.at_ms)}</span></span>
            ${Ge(r)}
          </div>`)}
    </div></div>
    ${t?c`<form class="write" @submit=${o}>
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
              .value=${s.draft}
              @input=${({currentTarget:r})=>{s.draft=r.value}}
              @keydown=${oo}></textarea>
            <button class="btn main" name="send">${n("Send")}</button>
          </form>`:c`<p class="quiet small">${i}</p>`}
  </section>`}var Ht=class{open=null;#t;#e=!1;#s;#n;#i;#o=null;constructor({client:t,visit:e,party:i,own:o,opens:r,redraw:a}){this.#t=r,this.#s=o,this.#n=a,this.#i=new ct(t,e,i,l=>this.#a(l))}start(){this.#i.start()}follow(t){let e=t&&!this.#e;this.#e=t,e&&this.#t&&!this.open&&this.show("own")}stop(){this.#i.stop(),E("")}show(t){this.open=t,this.#i.look(t==="chat"),t==="chat"&&Zs(),this.#n(),t&&setTimeout(()=>this.#o?.scrollIntoView({block:"nearest"}))}get all(){let t=this.#s(),e={id:"chat",label:n("Messages"),count:this.#i.unread,view:()=>c`<h2>${n("Messages")}</h2>
          ${Yt(this.#i,{may:!0,failed:i=>v(A(i),{bad:!0})})}`};return t?[{id:"own",...t},e]:[e]}get current(){return this.all.find(({id:t})=>t===this.open)??null}get named(){return this.#e?this.all:this.all.filter(({id:t})=>t==="chat")}way(){let t=this.#s();if(!t)return u;let e=this.open==="own";return c`<button
      type="button"
      class="btn way"
      aria-expanded=${String(e)}
      @click=${()=>this.show(e?null:"own")}>
      <span>${t.label}</span>
    </button>`}view(t){return t?c`<aside
      class="beside"
      aria-label=${t.label}
      ${Q(e=>{this.#o=e??null})}>
      <button type="button" class="btn plain close" @click=${()=>this.show(null)}>
        ${n("Close")}</button>${t.view()}
    </aside>`:u}#a(t){if(t&&this.open!=="chat"){let e=n("Message from {name}: {text}",{name:t.name,text:t.text});v(e),E(e)}this.#n()}};var ze={good:"",quiet:"off",amber:"amber"};function mi({home:s,title:t,since_ms:e,quality:[i,o],asides:r,open:a,show:l,entries:h}){return c`<header class="bar">
    ${s}
    <h1 tabindex="-1" data-focus>${t}</h1>
    <span class="marks">
      <span class="state">
        ${e?c`<span class="chip off"><since-clock since=${e}></since-clock></span>`:u}
        <span class="chip ${ze[o]}" role="status" translate="no"
          ><span class="dot"></span>${i}</span>
      </span>
      ${D(r,({id:d})=>d,({id:d,label:m,short:p=m,count:f})=>c`<button
            type="button"
            class="btn"
            aria-expanded=${a===d?"true":"false"}
            @click=${()=>l(a===d?null:d)}>
            <span class="full">${m}</span><span class="short" aria-hidden="true">${p}</span
            >${f?c` <span class="chip amber num">${f}</span>`:u}
          </button>`)}
      ${lo(h)}
    </span>
  </header>`}function lo(s){if(!s.length)return u;let t=(e,i)=>{qe(e.currentTarget),i()};return c`<details class="more">
    <summary class="btn">${n("More")}</summary>
    <div class="card">
      ${s.map(({words:e,lang:i,act:o})=>c` <button
            type="button"
            class="btn plain"
            lang=${i??u}
            @click=${r=>t(r,o)}>
            ${e}
          </button>`)}
    </div>
  </details>`}var jt=class{quality=null;#t=new Map;#e=0;#s=!1;#n;#i;constructor(t,e){this.#n=t,this.#i=e}restart(t){this.#s=t,this.quality=null,this.#t.clear(),this.#e=0}async look(){let{media:t}=this.#n;if(!this.#s||!t||document.hidden)return;let e=this.#o();try{this.#t=await t.stopped(i=>this.#n.quietOf(i)),this.#e++%4===0&&(this.quality=(await t.stats()).words)}catch{this.restart(this.#s)}this.#o()!==e&&this.#i()}of(t,{present:e,started:i}){return!this.#s||!e||!i||this.#n.path!=="connected"?null:this.#t.get(t)??(this.#n.lost(t)?"silent":null)}first(t){let e=t.flatMap(([i,o])=>{let r=this.of(i,o);return r?[{name:o.name,stopped:r}]:[]});return e.find(({stopped:i})=>i==="silent")??e[0]??null}#o(){return JSON.stringify([this.quality,...this.#t])}};var ho=["audio","video"];function fi(s,t){let e={audio:!1,video:!1};s.addEventListener("change",()=>{let i=I(s.found,s.media);for(let o of ho){let r=i[o]==="silent";r!==e[o]&&(e[o]=r,t()&&s.media&&uo(o,r))}})}async function Ke(s){await s.prepare();for(let{what:t,todo:e}of X(I(s.found,s.media)))v(`${t} ${e}`,{bad:!0})}function uo(s,t){if(!t)return v(s==="audio"?n("Your microphone works again."):n("Your camera works again."));for(let{what:e,todo:i}of X({audio:"on",video:"on",[s]:"silent"}))v(`${e} ${i}`,{bad:!0})}var R=(s,t="")=>c`<svg
    class=${t}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true">
    <path d=${s}></path>
  </svg>`,gi={microphone:R("M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3"),microphoneOff:R("M15 9.5V6a3 3 0 0 0-5.7-1.3M9 9v3a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 11.5 5.4M19 11a7 7 0 0 1-.5 2.5M12 18v3M4 4l16 16"),camera:R("M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM15 11l6-3.5v9L15 13"),cameraOff:R("M10 7h3a2 2 0 0 1 2 2v2l6-3.5v9L17.5 14.5M15 15a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 1.5-1.9M4 4l16 16"),screen:R("M4 5h16v11H4zM9 20h6M12 16v4M12 13V8M9.5 10.5 12 8l2.5 2.5"),devices:R("M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5"),full:R("M8 4H4v4M16 4h4v4M8 20H4v-4M16 20h4v-4"),notFull:R("M4 8h4V4M20 8h-4V4M4 16h4v4M20 16h-4v4"),leave:R("M3 14.5c0-1.5 4-3.5 9-3.5s9 2 9 3.5V17l-4 .5-1-3a14 14 0 0 0-8 0l-1 3L3 17z"),back:R("M9 14l-5-5 5-5M4 9h10a6 6 0 0 1 0 12h-3","points")};var wi=b(()=>({title:n("Return to the queue?"),text:n("The patient goes back to their old place in line and is told so. Another clinician may claim the visit."),yes:n("Return to queue"),no:n("Stay in the session")})),vi=b(()=>({title:n("End the session?"),text:n("It ends for both of you, and the patient leaves this page."),yes:n("End session"),also:n("End it as held by phone"),no:n("Stay in the session"),danger:!0})),po=b(()=>({title:n("Leave the visit?"),text:n("Your request ends, and the clinician is told so. To be seen later you would start again at the end of the line."),yes:n("Leave the visit"),no:n("Stay"),danger:!0}));function q({icon:s,word:t,act:e,pressed:i=null,danger:o=!1,main:r=!1}){return c`<button
    type="button"
    class="control ${o?"danger":""} ${r?"main":""}"
    aria-pressed=${i===null?u:String(i)}
    @click=${e}>
    ${gi[s]}<span>${t}</span>
  </button>`}function bi(s,t,e){return s==="provider"?[{words:n("Return to queue"),act:()=>e("visit.release",wi())},{words:n("End session"),act:()=>e("visit.end",vi())}]:s==="guest"||t.left?[]:[{words:n("Leave the visit"),act:()=>e("visit.withdraw",po())}]}function $i({role:s,me:{started:t,left:e},pressing:i,other:o,start:r,leave:a}){return c` ${t&&s==="guest"?c`<button type="button" class="btn big" aria-disabled="true">
          ${n("Waiting for the others")}
        </button>`:t?c`<button type="button" class="btn big" aria-disabled="true">
            ${n("Waiting for {name}",{name:o})}
          </button>`:c`<button
            type="button"
            class="btn main big"
            aria-disabled=${i?"true":"false"}
            @click=${r}>
            ${e?n("Rejoin"):n("Start Session")}
          </button>`}
  ${e?c`<button type="button" class="btn" @click=${()=>a("visit.withdraw",null)}>
          ${n("I am done")}
        </button>`:u}`}function mo(s){F("#call-devices",HTMLDialogElement).showModal(),s.currentTarget.blur()}function yi({role:s,link:t,other:e,full:i,canFull:o,toggleFull:r,screen:a,devices:l,leave:h}){let{found:d,muted:m}=t;return c` ${d.audio==="on"?q({icon:m.audio?"microphoneOff":"microphone",word:m.audio?n("Unmute"):n("Mute"),pressed:m.audio,act:()=>t.mute("audio",!m.audio)}):q({icon:"microphoneOff",word:n("No microphone"),act:()=>Ke(t)})}
    ${d.video==="on"?q({icon:m.video?"cameraOff":"camera",word:m.video?n("Camera on"):n("Camera off"),act:()=>t.mute("video",!m.video)}):q({icon:"cameraOff",word:n("No camera"),act:()=>Ke(t)})}
    ${a?q({icon:"screen",...a}):u}
    ${q({icon:"devices",word:n("Devices"),act:mo})}
    ${o?q({icon:i?"notFull":"full",word:i?n("Smaller"):n("Full screen"),act:r}):u}
    ${s==="provider"?c`${q({icon:"back",word:n("To queue"),act:()=>h("visit.release",wi())})}${q({icon:"leave",word:n("End"),danger:!0,act:()=>h("visit.end",vi())})}`:q({icon:"leave",word:n("Leave the call"),danger:!0,act:()=>h("visit.hang_up",null)})}
    <dialog class="ask" id="call-devices" aria-labelledby="call-devices-title" @close=${We}>
      <h2 id="call-devices-title">${n("Devices")}</h2>
      <p class="quiet">
        ${n("A change of camera or microphone is seen and heard by {name} at once.",{name:e})}
      </p>
      ${l()}
      <form method="dialog" class="row"><button class="btn main">${n("Done")}</button></form>
    </dialog>`}var fo=new Set(["default","communications"]),Je=s=>s.filter(({kind:t,id:e})=>t==="speaker"&&!fo.has(e)),go=(s,t)=>Je(t).some(({id:e})=>e===s)?s:"",Ut=class{#t;#e;#s=new Set;#n="";#i=[];constructor({videos:t,redraw:e}){this.#t=t,this.#e=e}get blocked(){return[...this.#t()].some(t=>this.#s.has(t))}get speaker(){return"setSinkId"in HTMLMediaElement.prototype?go(this.#n,this.#i):null}async choose(t){let e=this.#n;this.#n=t;try{return await this.#o(),"on"}catch{return this.#n=e,await this.#o().catch(()=>{}),"failed"}}take(t){this.#i=t,this.#o().catch(()=>{})}async#o(){let{speaker:t}=this;if(t===null)return;let e=[...this.#t()].filter(({sinkId:i})=>i!==t);await Promise.all(e.map(i=>i.setSinkId(t)))}listen(){this.#o().catch(()=>{});for(let t of this.#t())t.srcObject&&t.play().then(()=>this.#a(t,!1),e=>e.name==="NotAllowedError"&&this.#a(t,!0))}press(){this.#s.clear(),this.#e(),this.listen()}#a(t,e){this.#s.has(t)!==e&&(e?this.#s.add(t):this.#s.delete(t),this.#e())}};var wo=b(()=>[["video",n("Camera")],["audio",n("Microphone")]]);async function vo(s){try{await tt({speaker:s})}catch(t){v(Rt(t),{bad:!0})}}function ki(s,t,e,i){let o=r=>i(r.target.value);return c`<label class="device"><span>${s}</span>
    <select class="input" .value=${x(e)} @change=${o}>
      ${t.map(({id:r,label:a},l)=>c`<option value=${r} ?selected=${r===e}>${a||`${s} ${l+1}`}</option>`)}
    </select></label>`}var Bt=class{#t=[];#e;#s;#n;constructor({link:t,sound:e,redraw:i}){this.#e=t,this.#s=e,this.#n=i,t.addEventListener("devices",()=>this.#i())}view(){let{speaker:t}=this.#s,e=Je(this.#t);return c`<div class="devices">
      ${wo().map(([i,o])=>{let r=this.#t.filter(l=>l.kind===i);if(this.#e.found[i]!=="on"||!r.length)return u;let a=r.find(({selected:l})=>l)?.id??"";return ki(o,r,a,l=>this.#o(i,l))})}
      ${t===null||!e.length?u:ki(n("Speaker"),[{id:"",label:n("As the system has it")},...e],t,i=>this.#o("speaker",i))}
      <button type="button" class="btn" @click=${()=>vo(t??"")}>
        ${n("Test speaker")}
      </button>
    </div>`}async#i(){let{media:t}=this.#e;t&&(this.#t=await t.devices(),this.#s.take(this.#t),this.#n())}async#o(t,e){await(t==="speaker"?this.#s.choose(e):this.#e.media?.useDevice(t,e))!=="on"&&v(n("That device could not be started. The one before is kept."),{bad:!0}),await this.#i()}};function Ti({found:s,again:t}){let e=X(s);if(!e.length)return u;let i=r=>s[r]===null||s[r]==="on",o=i("audio")?n("You can join without a camera."):i("video")?n("You can join without a microphone."):n("You can join all the same: you will see and hear the other side.");return c`<div class="notice amber troubles" role="status">
    ${e.map(({what:r,todo:a})=>c`<p><b>${r}</b> ${a}</p>`)}
    <p>${o}</p>
    <button type="button" class="btn" @click=${t}>${n("Try again")}</button>
  </div>`}var Qe="a=rtcp-fb:111 nack";function _i(s,t){return!t.includes(`${Qe}\r
`)||s.includes(`${Qe}\r
`)?s:s.replaceAll(/^a=rtpmap:111 .*\r\n/gm,e=>`${e}${Qe}\r
`)}function Si(s){return s.replaceAll(/^(m=video \d+ \S+)((?: \d+)*?)((?: 10[23])+)((?: \d+)*)\r$/gm,"$1$3$2$4\r")}var bo={width:1280,height:720,bitrate:15e5,framerate:30};async function Ai(s){let t=async e=>{let i={...bo,contentType:e},o=await s?.encodingInfo({type:"webrtc",video:i}).catch(()=>null);return!!(o?.supported&&o.powerEfficient)};return await t("video/H264")&&!await t("video/VP8")}var xi="L1T3";async function Ei(s,t){let e=s.getParameters(),[i]=e.encodings??[];!i||i.scalabilityMode===xi===t||(i.scalabilityMode=t?xi:"L1T1",await s.setParameters(e).catch(()=>{}))}var Ft=class{#t=new Map;#e=new Set;#s=0;restart(){this.#t.clear()}read(t,e,i,o){t-this.#s>2e3&&this.restart(),this.#s=t;let r=new Map;for(let l of e?.values()??[]){let h=l.type==="inbound-rtp"?i(l.trackIdentifier):void 0;if(h===void 0)continue;let d=r.get(h)??{packets:0,frames:0};r.set(h,{packets:d.packets+(l.packetsReceived??0),frames:d.frames+(l.framesDecoded??0)})}let a=new Map;for(let[l,{packets:h,frames:d}]of r){let{audio:m,video:p}=o(l),f=this.#n(`${l} frames`,d,p,t),w=this.#n(`${l} packets`,h,m&&p,t);(w||f)&&a.set(l,w?"silent":"still")}return a}#n(t,e,i,o){e>0&&this.#e.add(t);let r=this.#t.get(t);return i||r?.count!==e?(this.#t.set(t,{count:e,at_ms:o}),!1):this.#e.has(t)&&o-r.at_ms>=2e3}};var Vt=["audio","video"],Mi={audio:{echoCancellation:!0,noiseSuppression:!0,autoGainControl:!0},video:{width:{ideal:640},height:{ideal:480},frameRate:{ideal:30,max:30}}},$o={NotAllowedError:"denied",SecurityError:"insecure",NotFoundError:"missing",OverconstrainedError:"missing",NotReadableError:"busy",AbortError:"busy"},yo=[0,1e3,2e3,4e3,8e3,16e3];function ko(s){return globalThis.document?.featurePolicy?.allowsFeature(s==="video"?"camera":"microphone")===!1}function Gt(s,t="video"){let{name:e="",message:i=""}=s??{};return e==="NotAllowedError"&&/by (the )?system/i.test(i)?"system":e==="NotAllowedError"&&ko(t)?"framed":$o[e]??"failed"}var Kt=({kind:s})=>s==="audio"?"audio":"video";function To(s){let t=s?.getSettings().facingMode;return!t||t==="user"}var zt=class{#t;#e;#s=!1;#n=!1;#i={audio:null,video:null};#o={audio:null,video:null};#a={audio:void 0,video:void 0};#c={audio:!1,video:!1};#r=null;#h=new MediaStream;#u=()=>this.#e("devicechange",null);constructor({send:t,notify:e}){this.#t=t,this.#e=e,globalThis.navigator.mediaDevices?.addEventListener("devicechange",this.#u)}get preview(){return this.#h}get mirrored(){return To(this.#i.video)}sent(t){return t==="video"&&this.#s&&this.#r||this.#o[t]}show(t){return this.#r=t,this.#t()}async prepare({audio:t=!0,video:e=!0}={}){let i={audio:"off",video:"off"},o={audio:t,video:e},r=l=>this.#i[l]?.readyState==="live"&&!this.isSilent(l),a=Vt.filter(l=>o[l]&&!r(l));for(let l of Vt)o[l]&&(i[l]="on");if(a.length===0)return i;if(!globalThis.navigator.mediaDevices?.getUserMedia){let l=globalThis.isSecureContext?"unsupported":"insecure";for(let h of a)i[h]=l;return i}try{await this.#l(a)}catch(l){for(let h of a)i[h]=Gt(l,h);if(a.length>1)for(let h of a)try{await this.#l([h]),i[h]="on"}catch(d){i[h]=Gt(d,h)}}return i}async devices(){let t={audioinput:"audio",videoinput:"video",audiooutput:"speaker"};return(await globalThis.navigator.mediaDevices?.enumerateDevices?.()??[]).filter(i=>i.deviceId!==""&&i.kind in t).map(i=>{let o=t[i.kind],a=(o==="speaker"?null:this.#i[o])?.getSettings().deviceId===i.deviceId;return{kind:o,id:i.deviceId,label:i.label,selected:a}})}async useDevice(t,e){let i=this.#a[t];this.#a[t]=e;try{return await this.#l([t]),"on"}catch(o){if(Gt(o)!=="busy"||!this.#i[t])return this.#a[t]=i,Gt(o,t)}this.#i[t]?.stop();for(let o of[e,i]){this.#a[t]=o;try{return await this.#l([t]),o===e?"on":"busy"}catch{}}return"busy"}start(){this.#s=!0,this.#g()}stop(){this.#s=!1,this.#g()}setMuted(t,e){this.#c[t]=!!e,this.#g()}isMuted(t){return this.#c[t]}isSilent(t){return!!this.#i[t]?.muted}close(){this.#n=!0,globalThis.navigator.mediaDevices?.removeEventListener("devicechange",this.#u);for(let t of Vt)this.#i[t]?.stop(),this.#o[t]?.stop(),this.#i[t]=this.#o[t]=null;for(let t of this.#h.getTracks())this.#h.removeTrack(t)}async#l(t){let e={};for(let o of t){let r=this.#a[o];e[o]=r?{...Mi[o],deviceId:{exact:r}}:Mi[o]}let i=await globalThis.navigator.mediaDevices.getUserMedia(e);if(this.#n){for(let o of i.getTracks())o.stop();return}for(let o of i.getTracks())await this.#d(Kt(o),o)}async#d(t,e){let[i,o]=[this.#i[t],this.#o[t]],r=e.clone();r.enabled=!1,t==="audio"&&"contentHint"in r&&(r.contentHint="speech"),e.addEventListener("ended",()=>this.#m(t,e));for(let a of["mute","unmute"])e.addEventListener(a,()=>this.#i[t]===e&&this.#e("tracksilent",t));this.#i[t]=e,this.#o[t]=r,this.#g(),this.#h.addTrack(e),await this.#t(),i&&(this.#h.removeTrack(i),i.stop(),o?.stop())}#g(){for(let t of Vt){let[e,i]=[this.#i[t],this.#o[t]];e&&(e.enabled=!this.#c[t]),i&&(i.enabled=this.#s&&!this.#c[t])}}async#m(t,e){if(!(this.#i[t]!==e||this.#n)){this.#e("trackended",t);for(let i of yo){if(await new Promise(o=>setTimeout(o,i)),this.#i[t]!==e||this.#n)return;try{await this.#l([t]),this.#e("trackrestored",t);return}catch{this.#a[t]=void 0}}}}};var xo=[{words:"poor",loss:.08,rtt_ms:500,freezes:2},{words:"fair",loss:.02,rtt_ms:250,freezes:1}],Jt=class{#t=null;restart(){this.#t=null}read(t,e,i){let o={at_ms:t,octets:0,lost:0,packetsReceived:0,freezes:0,framesDecoded:0},r=null,a={framesPerSecond:0,audioEnergy:0,framesSent:0,sentEnergy:0};for(let y of e?.values()??[])y.type==="inbound-rtp"?(o.octets+=y.bytesReceived??0,o.lost+=y.packetsLost??0,o.packetsReceived+=y.packetsReceived??0,o.freezes+=y.freezeCount??0,o.framesDecoded+=y.framesDecoded??0,a.framesPerSecond+=y.framesPerSecond??0,a.audioEnergy+=y.totalAudioEnergy??0):y.type==="outbound-rtp"?a.framesSent+=y.framesEncoded??0:y.type==="media-source"?a.sentEnergy+=y.totalAudioEnergy??0:y.type==="candidate-pair"&&y.nominated&&y.currentRoundTripTime!==void 0&&(r=y.currentRoundTripTime*1e3);let l=this.#t??o;this.#t=o;let h=Math.max((o.at_ms-l.at_ms)/1e3,.001),d=Math.max(o.lost-l.lost,0),m=Math.max(o.packetsReceived-l.packetsReceived,0)+d,p={rtt_ms:r??0,loss:m>0?d/m:0,freezes:o.freezes-l.freezes},f=y=>p.loss>y.loss||p.rtt_ms>y.rtt_ms||p.freezes>=y.freezes,$=o.packetsReceived>(l===o?0:l.packetsReceived)?"good":"quiet",T=i?xo.find(f)?.words??$:"lost";return{...a,rtt_ms:r,words:T,loss:p.loss,bitrate:l===o?0:Math.max(o.octets-l.octets,0)*8/h,freezes:o.freezes,framesDecoded:o.framesDecoded,packetsReceived:o.packetsReceived}}};var _o={new:"connecting",connecting:"connecting",connected:"connected",disconnected:"reconnecting",failed:"failed",closed:"closed"},So=s=>/^o=\S+ (\d+)/m.exec(s)?.[1]??"";function Ao(s){let t=new Map;for(let e of s.split(/^m=/m).slice(1)){let[i,o]=[/^a=mid:(\S+)/m.exec(e),/^a=msid:(\S+)/m.exec(e)];i&&o&&t.set(i[1],o[1])}return t}var $t=new Set(["0","1"]),ht=()=>"RTCPeerConnection"in globalThis,Eo=EventTarget,lt=class extends Eo{#t;#e=null;#s="";#n=!1;#i="new";#o=!1;#a=!1;#c=new zt({send:()=>this.#m(),notify:(t,e)=>this.#p(t,e)});#r=new Jt;#h=new Ft;#u=new MediaStream;#l=new Map;#d=Promise.resolve();constructor({sendAnswer:t}){super(),this.#t=t,Ai(navigator.mediaCapabilities).then(e=>{this.#n=e})}get preview(){return this.#c.preview}get mirrored(){return this.#c.mirrored}get remotes(){return this.#l}get remote(){return this.#u}get state(){return this.#i}prepare(t){return this.#c.prepare(t)}devices(){return this.#c.devices()}useDevice(t,e){return this.#c.useDevice(t,e)}accept({id:t,sdp:e,fresh:i=!1,iceServers:o=[]}){let r=this.#d.then(()=>this.#f(t,e,i,o));return this.#d=r.catch(()=>{}),r}start(){this.#c.start()}show(t){return this.#c.show(t)}stop(){this.#c.stop()}setMuted(t,e){this.#c.setMuted(t,e)}isMuted(t){return this.#c.isMuted(t)}isSilent(t){return this.#c.isSilent(t)}async stats(){let t=performance.now(),e=await this.#e?.getStats();return this.#r.read(t,e,this.#i==="connected")}async stopped(t){let e=performance.now(),i=await this.#e?.getStats();return this.#h.read(e,i,o=>this.#g(o),t)}close(){this.#a=!0,this.#e?.close(),this.#e=null,this.#c.close();for(let t of[this.#u,...this.#l.values()])for(let e of t.getTracks())t.removeTrack(e);this.#k("closed")}#g(t){for(let[e,i]of this.#l)if(i.getTrackById(t))return e}async#m(){for(let t of this.#e?.getTransceivers()??[]){if(!$t.has(t.mid))continue;let e=this.#c.sent(Kt(t.receiver.track));t.sender.track!==e&&await t.sender.replaceTrack(e)}}async#f(t,e,i,o){if(this.#a)throw new DOMException("the session is closed","InvalidStateError");let r=So(e),a=i||r!==this.#s?null:this.#e,l=a??this.#x(o);a&&o.length&&a.setConfiguration({...a.getConfiguration(),iceServers:o}),this.#s=r,await l.setRemoteDescription({type:"offer",sdp:e});for(let d of l.getTransceivers())d.direction=$t.has(d.mid)?"sendrecv":"recvonly";this.#T(l,Ao(e)),await this.#m(),await this.#v(l,e),await this.#b(l);let h=l.localDescription;h&&l===this.#e&&await this.#t(h.sdp,t)}async#v(t,e){let i=await t.createAnswer(),o=_i(i.sdp??"",e),r=this.#n?Si(o):o;await t.setLocalDescription({type:"answer",sdp:r}).catch(()=>t.setLocalDescription())}async#b(t){for(let{mid:e,receiver:i,sender:o}of t.getTransceivers())$t.has(e)&&Kt(i.track)==="video"&&await Ei(o,this.#l.size>1)}#T(t,e){let i=new Map;for(let{mid:r,receiver:a}of t.getTransceivers()){let l=r&&e.get(r);l&&($t.has(r)?i.set(l,null):i.set(l,[...i.get(l)??[],a.track]))}let o=[...this.#l.keys()].join();for(let r of this.#l.keys())i.has(r)||this.#l.delete(r);for(let[r,a]of i){let l=a===null?this.#u:this.#l.get(r)??new MediaStream;if(a){for(let h of l.getTracks())a.includes(h)||l.removeTrack(h);for(let h of a)l.addTrack(h)}this.#l.set(r,l)}o!==[...this.#l.keys()].join()&&this.#p("remotes",null)}#x(t){this.#e?.close();let e=new RTCPeerConnection({bundlePolicy:"max-bundle",iceServers:t});return this.#e=e,this.#r.restart(),this.#h.restart(),e.addEventListener("track",({track:i,transceiver:o})=>{if($t.has(o.mid)){for(let r of this.#u.getTracks())r.kind===i.kind&&this.#u.removeTrack(r);this.#u.addTrack(i),this.#p("remotetrack",i)}}),e.addEventListener("connectionstatechange",()=>{e===this.#e&&this.#k(_o[e.connectionState])}),this.#k("connecting"),e}#k(t){t==="connected"&&(this.#o=!0),t==="connecting"&&this.#o&&(t="reconnecting"),t!==this.#i&&(this.#i=t,this.#p("state",t))}#p(t,e){this.dispatchEvent(new CustomEvent(t,{detail:e}))}};var Mo=5e3,No=1500,Co=6e3,Ni={first:400,most:8e3},Qt=class{#t;#e;#s={join:0,restart:0,rejoin:0};#n=0;#i=!1;constructor({restart:t,join:e}){this.#t=t,this.#e=e}begun(){clearTimeout(this.#s.restart),this.#s.restart=setTimeout(()=>this.now(),Mo)}lost(){this.#s.restart||=setTimeout(()=>this.now(),No),this.#s.rejoin||=setTimeout(()=>this.#e(),Co)}async now(){if(!this.#i){this.joined(),this.#i=!0;try{await this.#t()}catch(t){et(t)==="no_room"?this.#e():et(t)!=="offline"&&this.later()}finally{this.#i=!1}}}later(){let t=Math.min(Ni.most,Ni.first*2**this.#n++)*(.75+Math.random()/2);clearTimeout(this.#s.join),this.#s.join=setTimeout(()=>this.#e(),t)}joined(){clearTimeout(this.#s.join)}found(){this.stop(),this.#n=0}stop(){for(let t of Object.values(this.#s))clearTimeout(t);this.#s={join:0,restart:0,rejoin:0}}};var Oo=new Set(["not_allowed","not_found","wrong_status","closed"]),Ze=["audio","video"],Zt={audio:!1,video:!1},Xe={sharing:null,asked:!1},Xt=class extends EventTarget{media=null;path="joining";found={audio:null,video:null};muted={audio:!1,video:!1};screen=Xe;speaker=null;paused=!1;#t={};#e={};#s={};#n={};#i;#o;#a;#c=!1;#r=new Qt({restart:()=>this.#i.request({type:"media.restart",visit:this.#o}),join:()=>this.path!=="taken_over"&&this.#b()});#h=!1;#u=new AbortController;constructor(t,e,i){super(),this.#i=t,this.#o=e,this.#a=i;let{signal:o}=this.#u,r=a=>l=>{l.detail.visit===e&&a(l.detail)};t.addEventListener("media.offer",r(a=>this.#T(a)),{signal:o}),t.addEventListener("media.gone",r(()=>this.path!=="taken_over"&&this.#b()),{signal:o}),t.addEventListener("media.taken_over",r(()=>this.#k()),{signal:o}),t.addEventListener("media.muted",r(({party:a,kind:l,muted:h,missing:d=!1})=>{if(this.#s[a]={...this.#s[a]??Zt,[l]:d},a===this.#a)return this.#d(l,h),this.#f();this.#e[a]={...this.mutedOf(a),[l]:h},this.#p({})}),{signal:o}),t.addEventListener("media.shared",r(({sharing:a,asked:l})=>this.#p({screen:{sharing:a,asked:l}})),{signal:o}),t.addEventListener("media.speaker",r(({party:a})=>this.#p({speaker:a})),{signal:o}),t.addEventListener("media.path",r(a=>{this.#n[a.party]=a,this.#p({})}),{signal:o}),t.addEventListener("media.paused",r(({paused:a})=>this.#p({paused:a})),{signal:o}),t.addEventListener("welcome",({detail:a})=>{if(this.path!=="taken_over"){if(this.#p({speaker:null,paused:!1}),!a.resumed||!this.#l)return void this.#b();this.#m(),this.#r.now()}},{signal:o}),t.addEventListener("moved",()=>this.#l&&this.#r.now(),{signal:o})}async open(){this.#v(),this.#b(),await this.prepare()}async prepare(){let{media:t}=this;if(!t)return;this.#p({found:{audio:null,video:null}});let e=await t.prepare({audio:!0,video:!0});this.media===t&&(this.#p({found:e}),this.dispatchEvent(new Event("devices")))}get#l(){return this.path==="connected"||this.path==="reconnecting"}mutedOf(t){return this.#e[t]??Zt}quietOf(t){let{audio:e,video:i}=this.mutedOf(t);return{audio:e,video:i||this.paused||this.screen.sharing===t}}hiddenOf(t){let{audio:e,video:i}=this.mutedOf(t),o=this.#s[t]??Zt,r=i&&this.screen.sharing!==t;return{audio:e,video:r||this.paused,missing:o,paused:this.paused&&!r}}share(t){return this.#i.request({type:"media.share",visit:this.#o,act:t})}async show(t){await this.media?.show(t)}blocked(t){if(t===this.#a&&this.path==="unable")return"browser";let e=this.#n[t];return e?.path==="none"&&(t!==this.#a||this.path!=="connected")?e.reason??"network":null}lost(t){return this.#n[t]?.path==="lost"}send(t){t!==this.#c&&(this.#c=t,t?this.media?.start():this.media?.stop())}mute(t,e){this.#t[t]=e,this.#g(t,e),this.#i.request({type:"media.mute",visit:this.#o,kind:t,muted:e}).catch(()=>{})}#d(t,e){this.#t[t]===void 0&&this.#g(t,e)}#g(t,e){this.media?.setMuted(t,e),this.#p({muted:{...this.muted,[t]:e}})}#m(){for(let t of Ze){let e=this.#t[t];e!==void 0&&this.#i.request({type:"media.mute",visit:this.#o,kind:t,muted:e}).catch(()=>{})}}#f(){for(let t of Ze){let[e,i]=[this.found[t],this.#s[this.#a]],o=e!=="on";e===null||!i||o===i[t]||(this.#s[this.#a]={...i,[t]:o},this.#i.request({type:"media.mute",visit:this.#o,kind:t,muted:this.muted[t],missing:o}).catch(()=>{}))}}close(){this.#u.abort(),this.#r.stop(),this.media?.close(),this.media=null,this.#p({path:"closed"})}#v(){this.media?.close();let t=new lt({sendAnswer:(i,o)=>this.#i.request({type:"media.answer",visit:this.#o,offer:o,sdp:i})});this.media=t,this.#p({path:ht()?"joining":"unable"}),t.addEventListener("state",()=>this.media===t&&this.#x(t.state));let e=(i,o)=>t.addEventListener(i,({detail:r})=>{this.media===t&&(o(r),this.#p({}),this.dispatchEvent(new Event("devices")))});e("remotetrack",()=>{}),e("remotes",()=>{}),e("devicechange",()=>Object.values(this.found).includes("missing")&&this.prepare()),e("trackended",i=>this.#p({found:{...this.found,[i]:"busy"}})),e("tracksilent",()=>{}),e("trackrestored",i=>this.#p({found:{...this.found,[i]:"on"}})),this.#c&&t.start();for(let i of Ze)this.muted[i]&&t.setMuted(i,!0)}async#b(){if(this.#r.joined(),!(this.#h||!this.media||this.#i.status!=="open")){this.#h=!0;try{await this.#i.request({type:"media.join",visit:this.#o,able:ht()}),this.#m()}catch(t){Oo.has(et(t))||this.#r.later()}finally{this.#h=!1}}}async#T(t){let{media:e}=this;if(!(!e||this.path==="taken_over"||this.path==="unable")){t.fresh&&(this.#r.joined(),[this.#e,this.#n]=[{},{}],this.#s={[this.#a]:Zt},this.#p({screen:Xe,speaker:null,paused:!1}),this.#f());try{let{offer:i,sdp:o,fresh:r,ice_servers:a}=t;await e.accept({id:i,sdp:o,fresh:r,iceServers:a})}catch{this.media===e&&this.#r.later()}}}#x(t){t==="connected"?(this.#r.found(),this.#p({path:"connected"})):t==="connecting"?this.#r.begun():t==="reconnecting"?(this.#p({path:"reconnecting"}),this.#r.lost()):t==="failed"&&(this.#p({path:"reconnecting"}),this.#r.later())}#k(){this.#r.stop(),this.media?.close(),this.media=null,this.#p({path:"taken_over",screen:Xe,speaker:null,paused:!1})}#p(t){Object.assign(this,t),t.found&&this.#f(),this.dispatchEvent(new Event("change"))}};function Ci({role:s,own:t,unable:e=!1,others:i,phone:o}){if(!t&&!i.length)return null;let r=It(),a=i.join(", "),[l,h]=t?e?[r.what,r.todo]:[n("Your network blocks video calls."),n("Try mobile data or another Wi-Fi. The call connects by itself as soon as there is a way.")]:[e?n("The browser of {name} cannot make video calls.",{name:a}):n("The network of {name} blocks video calls.",{name:a}),n("They read what they can try. The call connects by itself as soon as there is a way.")],d=s==="patient"&&o?Re(o):s==="provider"?n("You can also call the patient, and end the visit as held by phone."):"";return[l,d?`${h} ${d}`:h]}function Oi({words:s,call:t}){return c`<div class="blocked notice amber" ?data-empty=${!s}>
    <div role="status">
      ${s?c`<p><strong>${s[0]}</strong></p>
        <p>${s[1]}</p>`:u}
    </div>
    ${s&&t?c`<a class="btn" href=${Ue(t.phone)}>${n("Call by phone: {phone}",{phone:(t.phone_shown||t.phone).replaceAll(" "," ")})}</a>`:u}
  </div>`}function Pi(s,{role:t}){if(s.left)return{text:n("{name} has left the call",s),detail:s.present?n("They can rejoin"):n("Their page is closed"),tone:"amber"};if(s.present&&s.started)return{text:n("{name} is here",s),detail:n("Has pressed Start Session"),tone:"good"};if(s.present)return{text:n("{name} is here",s),detail:n("Has not pressed Start Session yet"),tone:"quiet"};if(s.away_since_ms)return{text:n("{name} is away",s),detail:c`${n("Away since")} <since-clock since=${s.away_since_ms}></since-clock>`,tone:"amber"};let e=t==="provider"?n("Their page is brought here by itself"):n("Will be here in a moment");return{text:n("{name} is on the way",s),detail:e,tone:"quiet"}}function Di(s){return s.left?n("{name} has left the call.",s):s.present?s.started?n("{name} is here and has pressed Start Session.",s):n("{name} is here.",s):s.away_since_ms?n("{name} is away.",s):n("{name} is on the way.",s)}function Ii({me:s,other:t,path:e,cleared:i}){return s.left?n("You left the call. {name} is told so. Nobody sees or hears you.",t):!s.started&&i?n("Your connection was lost for too long. Press Start Session to go on with the session."):s.started?t.left?n("The session goes on when {name} rejoins.",t):t.present?e==="reconnecting"?n("You have pressed Start Session. The media connection is being repaired."):n("You have pressed Start Session. It begins as soon as {name} presses too.",t):n("You have pressed Start Session. It begins when {name} is back and presses too.",t):n("Neither side sees or hears the other until both have pressed Start Session.")}var Li=b(()=>({good:[n("Connection good"),"good"],fair:[n("Connection fair"),"quiet"],poor:[n("Connection poor: sound comes first"),"amber"],paused:[n("Picture paused: weak network"),"amber"],quiet:[n("Connected"),"quiet"],lost:[n("Connection lost, reconnecting…"),"amber"]}));function Ri({name:s,stopped:t}){return t==="silent"?n("Nothing arrives from {name}. The call goes on by itself when they are back.",{name:s}):n("{name}’s picture has stopped.",{name:s})}function qi({path:s,blocked:t,words:e,standstill:i}){return s==="unable"?[n("No video in this browser"),"amber"]:t?[n("No connection yet"),"amber"]:s==="reconnecting"?Li().lost:s==="joining"?[n("Connecting…"),"quiet"]:i?.stopped==="silent"?[n("Nothing arrives from {name}",i),"amber"]:i?[n("{name}’s picture has stopped",i),"amber"]:e?Li()[e]:[n("Connected"),"good"]}function es({soundBlocked:s,sound:t,listen:e,interrupted:i}){return c`${s?c`<button type="button" class="btn main sound" @click=${e}>${t}</button>`:u}
    ${i?c`<p class="veil" role="status">
            ${n("Picture and sound are interrupted. Reconnecting by itself…")}
          </p>`:u}`}function Wi({party:s,role:t,live:e,seen:i,stream:o,muted:r,screen:a,resized:l,held:h,over:d,stopped:m}){let p=Pi(s,{role:t}),f=e&&s.present,w=f&&!r.video&&i,$=a?n("Screen of {name}",s):s.name;return c`<section
    class="tile other"
    aria-label=${s.name}
    ?data-picture=${w}
    ?data-stopped=${m!==null}>
    <video
      class="remote"
      autoplay
      playsinline
      @resize=${l}
      aria-label=${n("Picture of {name}",s)}
      .srcObject=${x(o)}
      ${Q(T=>h(T??null))}></video>
    ${w?u:c`<div class="who">
            <span class="face large" aria-hidden="true">${rt(s.name)}</span>
            <p class="name">${f?c`<bdi>${s.name}</bdi>`:p.text}</p>
            <p class="chip ${f?"off":ze[p.tone]}">
              ${f?te(r):p.detail}
            </p>
            ${e&&!s.present?c`<p class="quiet small">
                    ${n("The session goes on when they are back. Nobody needs to press again for a short break.")}
                  </p>`:u}
          </div>`}
    ${e?c`<span class="tag"><span><bdi>${$}</bdi></span> ${r.audio?c`<span class="chip amber">${n("Microphone is off")}</span>`:u}</span>`:u}
    ${ss(s.name,m)}${d}
  </section>`}function ss(s,t){return t?c`<p class="veil">${Ri({name:s,stopped:t})}</p>`:u}function te({video:s,missing:t,paused:e=!1}){return t.video?t.audio?n("No camera, no microphone"):n("No camera"):e?n("Picture paused: weak network"):s?n("Camera is off"):n("No picture yet")}function Lo(s,t){return t?n("Muted"):s===null||s==="on"?null:s==="silent"?n("No sound"):n("No microphone")}var ts=s=>s!==null&&!["on","silent"].includes(s);function Yi({link:s,live:t,started:e}){let{media:i,muted:o}=s,r=I(s.found,i),a=r.video==="on"&&!o.video,l=t?a?n("You"):null:e?n("You · sent when both have pressed"):n("You, as you will be seen · not sent yet"),h=r.video===null?n("Waiting for the camera. Your browser may ask you to allow it."):o.video?n("Camera is off"):r.video==="silent"?n("No picture from the camera"):te({...o,missing:{audio:ts(r.audio),video:!0}}),d=!a&&ts(r.video)&&ts(r.audio)?null:Lo(r.audio,o.audio);return c`<section class="tile self" aria-label=${n("You")} ?data-picture=${a}>
    <video
      muted
      .muted=${!0}
      autoplay
      playsinline
      aria-label=${n("Your own picture")}
      ?hidden=${!a}
      ?data-mirrored=${i?.mirrored}
      .srcObject=${x(i?.preview??null)}></video>
    ${a?u:c`<p class="why">${h}</p>`}
    ${l||d?c`<span class="tag">${l?c`<span>${l}</span>`:u}${d?c`<span class="chip amber">${d}</span>`:u}</span>`:u}
  </section>`}function Hi({here:s,back:t}){return c`<div class="session" data-phase="elsewhere">
    <main id="main" tabindex="-1" class="floor">
      <section class="card stack">
        <h1 tabindex="-1" data-focus>${n("This session is open in another tab or device")}</h1>
        <p>${n("Picture and sound go there. Camera and microphone are off here.")}</p>
        <p class="row">
          <button type="button" class="btn main big" @click=${s}>${n("Use it here")}</button>${t}
        </p>
      </section>
    </main>
  </div>`}var Po={video:{frameRate:{ideal:10,max:15}},audio:!1},is=()=>!!navigator.mediaDevices?.getDisplayMedia,ee=class{#t;#e;#s;#n;#i=null;#o=!1;#a=!1;#c=null;#r=!1;constructor({link:t,role:e,party:i,redraw:o}){this.#t=t,this.#e=e,this.#s=i,this.#n=o,t.addEventListener("change",()=>this.#d())}get on(){return this.#i!==null}async begin(){if(this.#o||this.#i||!is())return;this.#o=!0;let t;try{[t]=(await navigator.mediaDevices.getDisplayMedia(Po)).getVideoTracks();let e=t;if(e.contentHint="detail",e.addEventListener("ended",()=>this.#i===e&&this.end()),await this.#t.share("share"),e.readyState==="ended"||this.#t.screen.sharing!==this.#s)return this.#h();this.#i=e,await this.#t.show(e)}catch(e){t?.stop(),t&&v(A(e),{bad:!0})}finally{this.#o=!1,this.#n()}}async end(){await this.#l(),this.#h()}#h(){this.#t.share("end").catch(()=>{}),this.#n()}#u(t){this.#t.share(t).catch(e=>v(A(e),{bad:!0}))}async#l(){let t=this.#i;this.#i=null,t?.stop(),await this.#t.show(null)}follow({parties:t},e){this.#c=t.patient??null,this.#r=e,this.#d()}#d(){let{sharing:t,asked:e}=this.#t.screen;this.#i&&(t!==this.#s||!this.#r)&&(this.#l(),v(n("Your screen is no longer shared."))),this.#a&&!e&&t!=="patient"&&this.#e==="provider"&&this.#r&&this.#c&&v(n("{name} does not share the screen.",this.#c)),this.#a=e}close(){this.#i?.stop(),this.#i=null}get button(){return this.#e!=="provider"||!is()?null:this.on?{word:n("Stop sharing"),act:()=>this.end()}:{word:n("Share screen"),act:()=>this.begin()}}get entries(){let{sharing:t,asked:e}=this.#t.screen;return this.#e!=="provider"||!this.#c||e||t==="patient"?[]:[{words:n("Ask {name} to share the screen",this.#c),act:()=>this.#u("ask")}]}notice(t){let[e,i]=this.#g(t);return c`<div class="blocked notice" data-screen-notice ?data-empty=${!e}>
      <p role="status">${e}</p>
      ${i.length?c`<p class="row">${i}</p>`:u}
    </div>`}#g(t){let{sharing:e,asked:i}=this.#t.screen,o=(r,a,l=!1)=>c`<button type="button" class="btn ${l?"main":""}" @click=${a}>${r}</button>`;if(this.on)return[n("You share your screen."),[o(n("Stop sharing"),()=>this.end(),!0)]];if(i&&this.#e==="patient"&&t.provider){let r=()=>this.#u("decline");return is()?[n("{name} asks to see your screen. You choose what is shown, and can stop at any time.",t.provider),[o(n("Choose what to show"),()=>this.begin(),!0),o(n("Not now"),r)]]:[n("{name} asks to see your screen, but this browser cannot show it.",t.provider),[o(n("Tell {name}",t.provider),r)]]}return e&&t[e]?[n("{name} shares the screen.",t[e]),[]]:i&&this.#e==="provider"&&t.patient?[n("You asked {name} to share the screen.",t.patient),[]]:["",[]]}};var Do=b(()=>({interpreter:n("Interpreter"),family:n("Family"),specialist:n("Specialist"),trainee:n("Trainee")})),ns=["patient","provider"];function Io(s){return s.relation?Do()[s.relation]??s.relation:""}function ie(s,t){let e=i=>(ns.indexOf(i)+ns.length+1)%(ns.length+1);return Object.entries(s.parties).filter(([i])=>i!==t).sort(([i],[o])=>e(i)-e(o)||i.localeCompare(o))}function Ro(s,{live:t,off:e}){return!s.present&&s.relation?[n("Not here"),!1]:s.present?s.started?t?[te(e),!1]:[n("Has pressed Start Session"),!1]:[n("Has not pressed Start Session yet"),!1]:s.away_since_ms?[n("Away"),!0]:[n("On the way"),!1]}var se=class{#t;#e=new Set;constructor(t){this.#t=t}#s(t,e){this.#e.has(t)!==e.videoWidth>0&&(e.videoWidth>0?this.#e.add(t):this.#e.delete(t),this.#t())}view({others:t,link:e,live:i,opposite:o,stopped:r}){let a=e.media?.remotes??new Map,l=h=>a.get(h)??(h===o?a.get("remote"):null)??null;return D(t,([h])=>h,([h,d])=>this.#n(h,d,{stream:l(h),live:i,off:e.hiddenOf(h),screen:e.screen.sharing===h,speaks:e.speaker===h,stopped:r(h)}))}#n(t,e,{stream:i,live:o,off:r,screen:a,speaks:l,stopped:h}){let d=o&&e.present&&e.started,m=d&&i&&!r.video&&this.#e.has(t),[p,f]=Ro(e,{live:o,off:r}),w=Io(e),$=c`<bdi>${e.name}</bdi>${w?c` · ${w}`:u}`,T=a?n("Screen of {name}",e):$,y=d&&r.audio?c`<span class="chip amber">${n("Microphone is off")}</span>`:u;return c`<section
      class="tile other"
      aria-label=${l&&d?n("{name}, speaking",e):e.name}
      ?data-speaking=${l&&d}
      data-party=${t}
      ?data-screen=${a}
      ?data-picture=${m}
      ?data-stopped=${h!==null}>
      <video
        class="remote"
        autoplay
        playsinline
        @resize=${Tt=>this.#s(t,Tt.currentTarget)}
        aria-label=${n("Picture of {name}",e)}
        .srcObject=${x(i)}></video>
      ${m?c`<span class="tag"><span>${T}</span>${y}</span>`:c`<div class="who">
              <span class="face large" aria-hidden="true">${rt(e.name)}</span>
              <p class="name">${$}</p>
              <p class="chip ${f?"amber":"off"}">${p}</p>
              ${y}
            </div>`}
      ${ss(e.name,h)}
    </section>`}};function ji({visit:s,me:t}){let{patient:e,provider:i}=s.parties;if(!t.started)return n("Nobody sees or hears you until you press Start Session.");if(s.status==="live")return n("You take part now.");let o=[e,i].filter(r=>r&&!r.started).map(({name:r})=>r);return o.length===1?n("You have pressed Start Session. It begins when {name} presses too.",{name:o[0]}):n("You have pressed Start Session. It begins when the patient and the clinician have both pressed.")}var ne=class{#t=null;#e=new AbortController;hold(){document.addEventListener("visibilitychange",()=>this.#s(),{signal:this.#e.signal}),this.#s()}release(){this.#e.abort(),this.#t?.release().catch(()=>{}),this.#t=null}async#s(){if(!(document.hidden||!navigator.wakeLock))try{let t=await navigator.wakeLock.request("screen");this.#e.signal.aborted?await t.release():this.#t=t}catch{this.#t=null}}};var Ui={patient:"provider",provider:"patient",guest:"patient"},oe=class{#t;#e;#s;#n;#i;#o;#a;#c;#r;#h=null;#u;#l;#d=!1;#g=!1;#m;#f;#v=new ne;#b=0;#T=new AbortController;#x="";#k=null;#p=null;#M;#_;#N=!1;#S=!1;constructor({client:t,visit:e,role:i,party:o=i,organisation:r,language:a,redraw:l,aside:h=()=>null,more:d=()=>[],back:m=null,left:p=null,patient:f=()=>null,asideOpens:w=!1}){this.#t=t,this.id=e,this.role=i,this.party=o,this.#M=new se(l),this.#_=p,this.#e=l,this.#s=r,this.#n=a,this.#i=new Ht({client:t,visit:e,party:o,own:h,opens:w,redraw:l}),this.#o=d,this.#a=m,this.#c=f,this.#r=new Xt(t,e,o),this.#f=new ee({link:this.#r,role:i,party:o,redraw:l}),this.#r.addEventListener("change",l),this.#l=new jt(this.#r,l),fi(this.#r,()=>this.#w),this.#m=new Ut({videos:()=>this.#p?.querySelectorAll("video.remote")??[],redraw:l}),this.#u=new Bt({link:this.#r,sound:this.#m,redraw:l}),this.#r.addEventListener("devices",()=>this.#O())}open(){let{signal:t}=this.#T;this.#r.open(),this.#i.start(),this.#b=setInterval(()=>this.#l.look(),500),document.addEventListener("fullscreenchange",this.#e,{signal:t}),this.#v.hold()}update(t){this.#h||(this.#g=t.parties[this.party].started),this.#h=t,this.#r.send(this.#w||this.#$.started),this.#w!==this.#S&&this.#l.restart(this.#w),this.#w&&!this.#S&&this.#O(),this.#i.follow(this.#w),this.#S=this.#w,this.#f.follow(t,this.#w);let e=this.#w?n("The session has begun. You see and hear each other."):Di(this.#y);e!==this.#x&&E(e),this.#x=e}close(){this.#T.abort(),clearInterval(this.#b),this.#i.stop(),this.#f.close(),this.#r.close(),this.#v.release(),document.fullscreenElement&&document.exitFullscreen().catch(()=>{})}closeAside(){this.#i.show(null)}get title(){return this.#h?n("Session with {name}",this.#y):n("Your session")}get#w(){return this.#h?.status==="live"&&(this.role!=="guest"||this.#$.started)}get#A(){if(!this.#h)throw new Error("The visit's state has not come yet.");return this.#h}get#$(){return this.#A.parties[this.party]}get#y(){return this.#A.parties[Ui[this.role]]}async#C(){if(!this.#d){this.#d=!0,this.#e(),this.#m.press(),this.#r.send(!0);try{await this.#t.request({type:"visit.start",visit:this.id},{timeout_ms:3e4}),this.#g=!0}catch(t){!this.#w&&!this.#$.started&&this.#r.send(!1),v(`${A(t)} ${n("The session has not started; please press again.")}`,{bad:!0})}finally{this.#d=!1,this.#e()}}}#E=async(t,e)=>{if(this.#_)return this.#_();let i=e?await ot(e):"yes";if(i){this.#g=!1;try{let{id:o}=this;t==="visit.end"?await this.#t.request({type:t,visit:o,by_phone:i==="also"}):await this.#t.request({type:t,visit:o})}catch(o){et(o)!=="wrong_status"&&v(`${A(o)} ${n("Nothing was changed; please try again.")}`,{bad:!0})}}};#O(){setTimeout(()=>this.#w&&this.#m.listen())}#L(){let t=!!this.#k?.videoWidth;t!==this.#N&&(this.#N=t,this.#e())}#P(){document.fullscreenElement?document.exitFullscreen():this.#p?.requestFullscreen?this.#p.requestFullscreen().catch(()=>{}):this.#k?.webkitEnterFullscreen?.()}view(){if(!this.#h)return c`<main id="main" tabindex="-1" class="session"><h1>${n("Your session")}</h1></main>`;if(this.#r.path==="taken_over")return Hi({here:()=>this.#r.open(),back:this.#a?.()??u});let{open:t,current:e}=this.#i;return c`<div
      class="session"
      data-phase=${this.#w?"call":"lobby"}
      ?data-aside=${e!==null}
      ${Q(i=>{this.#p=i??null})}>
      ${mi({home:this.#I(),title:this.title,since_ms:this.#w?this.#h.live_ms:null,quality:qi({path:this.#r.path,blocked:this.#r.blocked(this.party)!==null,words:this.#r.paused?"paused":this.#l.quality,standstill:this.#l.first(ie(this.#h,this.party))}),asides:this.#i.named,open:t,show:i=>this.#i.show(i),entries:[...this.#o(),...this.#D()]})}
      <main id="main" tabindex="-1" class="floor">
        ${this.#R(this.#h)} ${this.#w?this.#f.notice(this.#h.parties):u}
        ${this.#q(this.#h)}
        ${this.#w?u:this.#W()}
      </main>
      ${this.#i.view(e)}
      <footer class="controls">
        ${this.#w?this.#Y():$i({role:this.role,me:this.#$,pressing:this.#d,other:this.#y.name,start:()=>this.#C(),leave:this.#E})}
      </footer>
    </div>`}#D(){return this.#w?[...this.#f.entries,...this.#n.entries()]:bi(this.role,this.#$,this.#E)}#I(){let t=Pt(this.#s,this.#s.name);return this.#a?this.#a(this.#w?void 0:t):t}#R(t){let e=ie(t,this.party).filter(([r,{present:a}])=>a&&this.#r.blocked(r)),i=this.#r.blocked(this.party),o=this.role==="provider"&&(i!==null||e.some(([r])=>r==="patient"));return Oi({words:Ci({role:this.role,own:i!==null,unable:i?i==="browser":e.every(([r])=>this.#r.blocked(r)==="browser"),others:e.map(([,{name:r}])=>r),phone:this.#c()?.phone_shown??null}),call:o?this.#c():null})}#q(t){let e=ie(t,this.party),i=Ui[this.role],o=this.#w,r=Yi({link:this.#r,live:o,started:this.#$.started}),a=d=>this.#l.of(d,t.parties[d]),l={soundBlocked:o&&this.#m.blocked,listen:()=>this.#m.press(),interrupted:o&&this.#r.path==="reconnecting"};if(e.length>1)return c`<div class="tiles many" data-count=${e.length}>
        ${this.#M.view({others:e,link:this.#r,live:o,opposite:i,stopped:a})}${r}
        ${es({...l,sound:n("Press to hear everybody")})}
      </div>`;let h=Wi({party:this.#y,role:this.role,live:o,seen:this.#N,stream:this.#r.media?.remote??null,muted:this.#r.hiddenOf(i),screen:o&&this.#r.screen.sharing===i,resized:()=>this.#L(),held:d=>{this.#k=d},over:es({...l,sound:n("Press to hear {name}",this.#y)}),stopped:a(i)});return c`<div class="tiles">${h}${r}</div>`}#W(){let{found:t,media:e,path:i}=this.#r;return c`<div class="prepare">
      ${Ti({found:I(t,e),again:()=>this.#r.prepare()})}
      <p class="promise" role="status">
        ${this.role==="guest"?ji({visit:this.#A,me:this.#$}):Ii({me:this.#$,other:this.#y,path:i,cleared:this.#g})}
      </p>
      ${this.#i.way()}
      ${this.#u.view()}
      ${this.#n.view()}
    </div>`}#Y(){return yi({role:this.role,link:this.#r,other:this.#y.name,full:!!document.fullscreenElement,canFull:!!(document.fullscreenEnabled||this.#k?.webkitEnterFullscreen),toggleFull:()=>this.#P(),screen:this.#f.button,devices:()=>this.#u.view(),leave:this.#E})}};var Bi="greenroom.v1.json";function Fi(s){let t=new URL(s,globalThis.location?.href);return t.protocol=t.protocol.replace(/^http/,"ws"),t.href}function Vi(s){let t=globalThis.earlySocket;return globalThis.earlySocket=null,t?.url===s&&t.readyState<=1?t:null}var re=class{handlers=new Set;epoch=null;version=-1;early=[];#t;constructor(t={}){this.#t=t}get asked(){let t=this.epoch===null?{}:{epoch:this.epoch,version:this.version};return{...this.#t,...t}}accept(t){if("epoch"in t){if(!t.type.endsWith(".snapshot")&&t.epoch===this.epoch&&t.version<=this.version)return[];this.epoch=t.epoch,this.version=t.version;let i=this.early.filter(o=>o.version>t.version);return this.early=[],[t,...i.flatMap(o=>this.accept(o))]}return this.epoch===null?(this.early.length<256&&this.early.push(t),[]):t.version<=this.version?[]:(this.version=t.version,[t])}forget(){this.epoch=null,this.version=-1,this.early=[]}};var Wo=6e4,Gi={first:500,most:15e3},Yo=2e3,Ho=2e4,jo=8e3,zi=1e4,Uo=200,Bo=4200,Ki=2,Ji=new Set(["subscribe","unsubscribe","visit.save","visit.enter","visit.start","visit.finish","on_call","media.mute","media.share"]),Fo=EventTarget,ae=class extends Fo{#t;#e;#s;#n=null;#i=1;#o=new Map;#a=new Map;#c=null;#r=0;#h=0;#u=0;#l=!1;#d={retry:0,ping:0,pong:0,open:0};#g=0;#m=!1;constructor(t,{role:e,timeout_ms:i=1e4}){super(),this.#t=Fi(t),this.#e=e,this.#s=i,this.status="closed",this.me=null,this.visit=null}now(){return Date.now()+this.#g}connect(){this.#m=!1,this.#n||this.#v()}wake({moved:t=!1}={}){this.#m||this.status==="closed"||(this.status==="open"?(this.#N(2500),t&&this.dispatchEvent(new CustomEvent("moved"))):(this.status==="retrying"||t)&&this.#v())}bye(){this.#m=!0,this.status==="open"&&this.#$({type:"bye",id:this.#i++}),this.#A(),this.#c=null,this.#_(()=>!0,new _("closed","The connection was closed.")),this.#y("closed",{code:1e3})}request(t,{timeout_ms:e=this.#s}={}){return new Promise((i,o)=>{let r=Ji.has(t.type);if(this.status!=="open"&&!r||this.#o.size>=Uo)return o(new _("offline","Not connected. Nothing was changed."));if(this.status==="closed")return o(new _("closed","The connection was closed."));let a=this.#i++,l=setTimeout(()=>{this.#o.delete(a),o(new _("timeout","The server did not answer in time."))},e),h={message:{...t,id:a},resolve:i,reject:o,timer:l};this.#o.set(a,h),this.status==="open"&&this.#$(h.message)})}subscribe(t,e,i=()=>{},o={}){let r=this.#a.get(t)??new re(o);this.#a.set(t,r);let a={handler:e,refused:i};return r.handlers.add(a),r.forget(),this.status==="open"&&this.#f(t,r),()=>{r.handlers.delete(a),!(r.handlers.size||this.#a.get(t)!==r)&&(this.#a.delete(t),this.status==="open"&&this.request({type:"unsubscribe",topic:t}).catch(()=>{}))}}#f(t,e){this.request({type:"subscribe",topic:t,...e.asked}).catch(i=>{if(this.#a.get(t)===e){if(i.code==="unavailable"||i.code==="timeout")setTimeout(()=>this.status==="open"&&this.#a.get(t)===e&&this.#f(t,e),this.#E(2e3));else if(!["closed","offline"].includes(i.code))for(let o of e.handlers)o.refused(i)}})}#v(){this.#A(),this.#y("connecting");let t=Vi(this.#t)??new WebSocket(this.#t,Bi);this.#n=t,this.#u+=1,this.#d.open=setTimeout(()=>this.#S(t,1006),zi),t.onopen=()=>this.#b(),t.readyState===1&&this.#b(),t.onmessage=e=>this.#n===t&&this.#k(JSON.parse(e.data)),t.onclose=e=>this.#S(t,e.code)}#b(){this.#u=0,this.#l=!1,this.#T()}#T(){let t={type:"hello",id:this.#i++,role:this.#e};this.#c&&Date.now()-this.#r<Wo&&(t.resume=this.#c),this.#$(t)}#x(t){clearTimeout(this.#d.open),this.#h=0,this.#c=t.resume,this.#g=t.server_ms-Date.now(),this.me=t.me,this.visit=t.visit;for(let[e,i]of this.#o)(i.message.type==="subscribe"||i.message.type==="unsubscribe")&&(clearTimeout(i.timer),this.#o.delete(e),i.reject(new _("offline","Asked again on the new socket.")));this.status="open";for(let e of this.#o.values())this.#$(e.message);for(let[e,i]of this.#a)this.#f(e,i);this.#d.ping=setInterval(()=>this.#N(jo),Ho),this.dispatchEvent(new CustomEvent("welcome",{detail:t})),this.#y("open")}#k(t){if(clearTimeout(this.#d.pong),this.#d.pong=0,t.type==="welcome")return this.#x(t);if(t.type==="gone")return this.#p(t.topic);if("topic"in t&&!("reply_to"in t)){let i=this.#a.get(t.topic);if(!i)return;for(let o of i.accept(t))for(let r of[...i.handlers])r.handler(o);return}if(!("reply_to"in t)){this.dispatchEvent(new CustomEvent(t.type,{detail:t}));return}let e=this.#o.get(t.reply_to??-1);t.type!=="error"?this.#M(t.reply_to,()=>e?.resolve(t)):t.code.startsWith("resume_")?(this.#c=null,this.#T()):e?this.#M(e.message.id,()=>e.reject(new _(t.code,t.text,t.details))):this.dispatchEvent(new CustomEvent("refused",{detail:t}))}#p(t){let e=this.#a.get(t);if(!e)return;e.forget();let i=new _("not_found","There is no such visit here.");for(let o of[...e.handlers])o.refused(i)}#M(t,e){let i=this.#o.get(t);i&&(clearTimeout(i.timer),this.#o.delete(t),e())}#_(t,e){for(let[i,o]of this.#o)t(o.message)&&this.#M(i,()=>o.reject(e))}#N(t){let e=this.#n;this.#d.pong||this.status!=="open"||!e||(this.#$({type:"ping",id:this.#i++}),this.#d.pong=setTimeout(()=>this.#S(e,1006),t))}#S(t,e){if(this.#n!==t)return;let i=this.status==="open";if(this.#A(),i&&(this.#r=Date.now()),this.#m)return;if(e>=Bo||e===1e3){this.#c=null,this.#_(()=>!0,new _("closed","The connection was closed.")),this.#y("closed",{code:e});return}let o=new _("offline","The connection was lost before an answer came.");this.#_(l=>!Ji.has(l.type),o);let r=Math.min(Gi.most,Gi.first*2**this.#h++),a=e===1001?this.#E(Yo):r/2+this.#E(r/2);this.#d.retry=setTimeout(()=>this.#v(),a),this.#y("retrying",{code:e,retry_at_ms:Date.now()+a}),this.#u>=Ki&&!this.#l&&this.#w()}async#w(){let t=AbortSignal.timeout(zi),e=await fetch(this.#t.replace(/^ws/,"http"),{cache:"no-store",signal:t}).catch(()=>null);this.#l=e?.status===426&&this.#u>=Ki,this.#l&&!this.#m&&this.#y(this.status)}#A(){let t=this.#n;this.#n=null;let{retry:e,ping:i,pong:o,open:r}=this.#d;for(let a of[e,o,r])clearTimeout(a);clearInterval(i),this.#d.pong=0,t&&(t.onopen=t.onmessage=t.onclose=null,t.close())}#$(t){this.#n?.readyState===1&&this.#n.send(JSON.stringify(t))}#y(t,e={}){this.status=t,this.dispatchEvent(new CustomEvent("status",{detail:{status:t,...this.#C(),...e}}))}#C(){return this.#l?{blocked:!0}:{}}#E(t){return Math.random()*t}};var Qi=()=>Date.now(),le=new Set,ce=0;function Zi(s){Qi=s}function Vo(){for(let s of le)s.tick()}var he=class extends HTMLElement{static observedAttributes=["since"];connectedCallback(){this.classList.add("num"),this.translate=!1,le.add(this),ce||(ce=setInterval(Vo,1e3)),this.tick()}disconnectedCallback(){le.delete(this),!le.size&&(clearInterval(ce),ce=0)}attributeChangedCallback(){this.isConnected&&this.tick()}get elapsed_ms(){return Qi()-Number(this.getAttribute("since"))}tick(){let t=ri(this.elapsed_ms);this.textContent!==t&&this.replaceChildren(t)}},os=class extends he{static observedAttributes=["since","amber","red"];tick(){super.tick();let t=this.elapsed_ms,e=["red","amber"].find(i=>t>=Number(this.getAttribute(i)??1/0))??"calm";this.dataset.level!==e&&(this.dataset.level=e)}};customElements.define("since-clock",he);customElements.define("wait-clock",os);var ue=class{#t;#e;#s=document.documentElement.lang;constructor(t,e){this.#t=t,this.#e=e}view(){return this.#t.length<2?u:c`<nav class="languages" aria-label=${n("Language")}>
      ${this.#t.map(t=>c`<a
            href="?lang=${t.code}"
            lang=${t.code}
            dir=${t.dir}
            translate="no"
            hreflang=${t.code}
            aria-current=${t.code===this.#s?"true":u}
            @click=${e=>this.#n(e,t)}
            >${t.name}</a>`)}
    </nav>`}entries(){return this.#t.filter(({code:t})=>t!==this.#s).map(t=>({words:t.name,lang:t.code,act:()=>this.#i(t)}))}#n(t,e){t.metaKey||t.ctrlKey||t.shiftKey||t.button||(t.preventDefault(),this.#i(e))}async#i({code:t,words:e,dir:i}){try{Ws(...e?(await import(e)).default:[])}catch{return v(n("Not connected. Nothing was changed."),{bad:!0})}this.#s=document.documentElement.lang=t,document.documentElement.dir=i;let o=document.querySelector(".skip");o&&(o.textContent=n("Skip to the page’s content")),document.dispatchEvent(new Event("language")),this.#e();try{let r=di(t)?"GET":"HEAD",a=await fetch(`${location.pathname}?lang=${t}`,{method:r});if(r==="HEAD"||!a.ok)return;pi(await a.text()),this.#e()}catch{}}};function Xi(s){let t=Date.now();return setInterval(()=>{let e=t;t=Date.now(),t-e>5e3&&s()},1e3)}var de=class{root=F("#app",HTMLElement);#t="";constructor(t,e){this.boot=Wt(),this.client=new ae(this.boot.ws,{role:t}),this.redraw=ei(()=>this.#s(e)),this.connection=Go(this.client,this.redraw),this.language=new ue(this.boot.languages,this.redraw)}begin(){zs(),Ks(),Zi(()=>this.client.now()),this.root.replaceChildren(),this.redraw(),this.client.connect()}show(t,{key:e,title:i}){if(Y(t,this.root),this.#e(),document.title=`${i} · ${this.boot.organisation.name}`,e===this.#t)return!1;let o=this.#t===""||this.#t==="loading";return this.#t=e,o||(scrollTo(0,0),this.#n()),!0}#e(){let e=[...this.root.children].map(o=>o.matches(".parked:not([hidden])")?o.firstElementChild:o).find(o=>o?.matches(".session")),{dataset:i}=document.documentElement;e?i.session=e.dataset.phase:delete i.session}#s(t){let e=this.root.contains(document.activeElement);t(),e&&!this.root.contains(document.activeElement)&&!document.querySelector("dialog[open]")&&this.#n()}#n(){this.root.querySelector("[data-focus]:not([hidden] *)")?.focus({preventScroll:!0})}};function Go(s,t){let e={status:"connecting",code:null,slow:!1,blocked:!1};s.addEventListener("status",({detail:r})=>{e.slow=r.status==="open"?!1:e.slow||r.status==="retrying",e.status=r.status,e.code=r.code??null,e.blocked=r.blocked??!1,t()});let i=()=>document.visibilityState==="visible"&&s.wake();document.addEventListener("visibilitychange",i);let o=()=>s.wake({moved:!0});return addEventListener("online",o),Xi(o),addEventListener("pageshow",i),e}var zo=b(()=>({keep:[n("If you still wait then, your place is kept."),n("You are still in line: your place is kept.")],ask:[n("If you still wait then, you can stay or leave."),n("You are still in line. Do you want to stay? Staff know that you wait, but may not see you today.")],end:[n("If nobody has seen you by then, your visit ends."),n("Your visit ends in a moment, unless somebody takes it now.")]})),Ko=2e4,pe=class{#t;#e;#s;#n=null;#i=null;constructor(t,e,i){this.#t=t,this.#e=e,this.#s=i}view(t){let e=t?.closing;return e&&this.#t.book&&this.#i!==e.over&&(this.#i=e.over,this.#o()),c`<div class="closing" role="status" translate="no">${e?this.#a(e):u}</div>`}async#o(){try{let t=await fetch(this.#t.next_time,{signal:AbortSignal.timeout(Ko)});this.#n=t.ok?(await t.json()).starts_ms:null}catch{this.#n=null}this.#s()}#a({at_ms:t,over:e,rule:i}){let{book:o}=this.#t,r=H(t),a=[...o?[c`<a class="btn" href=${o}>${n("Book a time")}</a>`]:[],...e&&i==="ask"?[c`<button type="button" class="btn danger" @click=${this.#e}>
              ${n("Leave the line")}
            </button>`]:[]],l=e?n("The clinic closed at {time}.",{time:r}):n("The clinic closes at {time}.",{time:r});return c`<section class="notice amber">
      <p>
        <b>${l}</b>
        ${zo()[i][Number(e)]}
        ${this.#n===null?u:n("The next time that you can book is {time}.",{time:ci(this.#n)})}
      </p>
      ${a.length?c`<p class="row">${a}</p>`:u}
    </section>`}};var rs=()=>"Notification"in globalThis&&"PushManager"in globalThis&&"serviceWorker"in navigator;async function tn(s){return await(await navigator.serviceWorker.getRegistration(s))?.pushManager.getSubscription()??null}async function Jo({active:s,installing:t,waiting:e}){let i=t??e;s||!i||await new Promise(o=>{i.addEventListener("statechange",()=>i.state==="activated"&&o(null))})}async function en({worker:s,key:t}){if(await Notification.requestPermission()!=="granted")return null;let e=await navigator.serviceWorker.register(s);await Jo(e);let{pushManager:i}=e,o={userVisibleOnly:!0,applicationServerKey:t};try{return await i.subscribe(o)}catch(r){let a=await i.getSubscription();if(!a)throw r;return await a.unsubscribe(),i.subscribe(o)}}function sn(s){let{keys:t={}}=s.toJSON();return{endpoint:s.endpoint,p256dh:t.p256dh??"",auth:t.auth??""}}var me=class{#t;#e;#s;#n=!1;#i=null;constructor(t,e,i){this.#t=t,this.#e=e,this.#s=i,rs()&&tn(e.push.worker).then(o=>{this.#i=o,i()})}async#o(t){this.#n=!0,this.#s();try{let e=await t();if(!e)return;let i=await fetch(this.#t,{method:"POST",body:new URLSearchParams(e)});if(!i.ok)throw new Error(`${i.status}`);E(n("Your choice is kept."))}catch{v(n("Your choice could not be kept. Please try again."),{bad:!0})}finally{this.#n=!1,this.#s()}}async#a(t){return this.#i=t?await en(this.#e.push):this.#i,this.#i&&{push:t?"yes":"no",...sn(this.#i)}}#c(t,e,i,o){return c`<label class="option">
      <input
        type="checkbox"
        .checked=${x(t)}
        ?disabled=${this.#n}
        @change=${({currentTarget:{checked:r}})=>this.#o(()=>o(r))} />
      <span>${e} <span class="quiet small">${i}</span></span>
    </label>`}#r(t){if(!this.#e.text||!t.patient.phone)return u;let e=t.patient.phone_shown||t.patient.phone;return this.#c(t.agreed?.includes("text")??!1,n("Text me when it is my turn (to {phone})",{phone:e}),n("The message has the clinic’s name and a link, nothing about you."),async i=>({text:i?"yes":"no"}))}#h(t){return rs()?this.#c((this.#i!==null&&t.agreed?.includes("push"))??!1,n("Notify me on this device when it is my turn"),Notification.permission==="denied"?n("This browser blocks notifications of this site: allow them in its settings, then reload."):n("Also while this page is closed. It shows the clinic’s name, nothing about you."),e=>this.#a(e)):u}view(t){return t?c`${this.#r(t)}${this.#h(t)}`:u}};var Qo=b(()=>({camera:n("Camera"),microphone:n("Microphone"),speaker:n("Speaker"),network:n("Network")})),Zo=b(()=>({poor:n("Poor"),"not heard":n("Not heard"),blocked:n("Blocks video")})),as=class extends HTMLElement{client=null;typed=()=>{};#t={};phone="";#e=null;#s={video:null,audio:null};#n=0;#i=()=>{};#o="idle";#a=null;#c=()=>this.#v();set answer(t){this.#t=t??{},this.isConnected&&this.#v()}connectedCallback(){this.#v(),document.addEventListener("language",this.#c),this.#u(),this.#r()}async#r(){ht()?this.client&&this.#d({network:await Vs(this.client)}):this.#d({network:"unsupported"})}#h(){this.#u(),this.#t.network==="blocked"&&(this.#d({network:void 0}),this.#r())}disconnectedCallback(){document.removeEventListener("language",this.#c),this.#i(),this.#e?.close(),this.#e=null}async#u(){this.#i(),this.#e?.close();let t=new lt({sendAnswer:async()=>{}});this.#e=t,t.addEventListener("devicechange",()=>this.#e===t&&(this.#s.video==="missing"||this.#s.audio==="missing")&&this.#u()),t.addEventListener("tracksilent",()=>this.#e===t&&this.#l()),this.#s={video:null,audio:null},this.#v();let e=await t.prepare({audio:!0,video:!0});return this.#e!==t?t.close():(this.#s=e,this.#i=Fs(t.preview,i=>{this.#n=i;let o=this.querySelector("meter");o&&(o.value=i)}),this.#l())}#l(){let{video:t,audio:e}=I(this.#s,this.#e);this.#d({camera:t??void 0,microphone:e??void 0})}#d(t){this.isConnected&&(this.#t={...this.#t,...t},this.typed(this.#t),this.#v())}async#g(){this.#o="playing",this.#v();try{await tt(),this.#o="asked"}catch(t){this.#o="silent",this.#a=t}this.#v()}#m(t){this.#o="idle",this.#d({speaker:t?"on":"not heard"})}#f(t){let e=this.#t[t];return e?e==="on"?c`<span class="chip"><span class="dot"></span>${n("Works")}</span>`:t==="network"&&(e==="good"||e==="fair")?c`<span class="chip"
        ><span class="dot"></span>${e==="good"?n("Good"):n("Fair")}</span>`:c`<span class="chip amber">${Zo()[e]??n("Does not work")}</span>`:c`<span class="chip off">${t==="speaker"?n("Not tested"):n("Looking…")}</span>`}#v(){let t=I(this.#s,this.#e),e=ht()?[...this.#t.network==="blocked"?[Bs()]:[],...X(t)]:[It(this.phone)],i=t.video==="on";Y(c`<div class="check">
        <div class="mirror">
          <video
            muted
            playsinline
            autoplay
            aria-label=${n("Your own picture")}
            ?hidden=${!i}
            ?data-mirrored=${this.#e?.mirrored}
            .srcObject=${x(this.#e?.preview??null)}></video>
          ${i?u:c`<p>${this.#s.video?n("No picture"):n("Your browser may ask whether this page may use your camera and microphone. Please allow it.")}</p>`}
          <span class="tag">${n("Only you see this")}</span>
        </div>
        <ul role="list" class="parts">
          ${Object.entries(Qo()).map(([o,r])=>c`<li class="row apart">
                <span class="name">${r}</span>${this.#f(o)}
                ${o==="microphone"&&this.#s.audio==="on"?c`<div class="level">
                        <meter
                          min="0"
                          max="1"
                          .value=${this.#n}
                          aria-label=${n("How loud your microphone hears you")}></meter>
                        <span class="small quiet">${n("Say something: the bar moves.")}</span>
                      </div>`:u}
                ${o==="speaker"?this.#b():u}
              </li>`)}
        </ul>
        ${e.length?c`<div class="notice amber stack" role="status">
                ${e.map(({what:o,todo:r})=>c`<p><b>${o}</b> ${r}</p>`)}
                <p>${n("You can go on all the same: the visit works with what you have.")}</p>
                <div>
                  <button type="button" class="btn" @click=${()=>this.#h()}>${n("Try again")}</button>
                </div>
              </div>`:u}
      </div>`,this)}#b(){if(this.#o==="asked")return c`<div class="level row" role="group" aria-label=${n("Did you hear two notes?")}>
        <span>${n("Did you hear two notes?")}</span>
        <button type="button" class="btn" @click=${()=>this.#m(!0)}>${n("Yes")}</button>
        <button type="button" class="btn" @click=${()=>this.#m(!1)}>${n("No")}</button>
      </div>`;let t={playing:n("Playing…"),silent:Rt(this.#a),idle:u}[this.#o],e=this.#t.speaker==="not heard"?n("Turn up the volume, or check which speaker or headphones are chosen."):u;return c`<div class="level row">
      <button
        type="button"
        class="btn"
        aria-disabled=${this.#o==="playing"}
        @click=${()=>this.#o!=="playing"&&this.#g()}>
        ${n("Play a sound")}
      </button>
      <span class="small quiet" role="status">${t===u?e:t}</span>
    </div>`}};customElements.define("device-check",as);function Xo(s){return s.split(/\n\s*\n/).map(t=>c`<p>${t}</p>`)}function yt(s){return[s.step.help&&`${s.id}-help`,s.problem&&`${s.id}-wrong`].filter(Boolean).join(" ")||u}var fe=s=>s.problem?"true":u;function nn(s,t){return c`<fieldset
    class="options"
    aria-labelledby=${s.label}
    aria-describedby=${yt(s)}
    aria-invalid=${fe(s)}>
    ${t.map(([e,i],o)=>c`<label class="option">
          <input
            type="radio"
            name=${s.id}
            id=${o?u:s.id}
            .checked=${x(s.answer===e)}
            @change=${()=>s.typed(e)} />
          ${i}
        </label>`)}
  </fieldset>`}function tr(s){let{step:t,answer:e}=s,{text:i,lang:o}=j(t.text),r={agreed:!1,signature:"",...e??{},...o?{language:o}:{}};return c`<div class="stack">
    <div
      class="consent"
      lang=${o??u}
      dir="auto"
      tabindex="0"
      role="region"
      aria-label=${n("The full text")}>
      ${Xo(i)}
    </div>
    <label class="option"><input
        type="checkbox"
        id=${s.id}
        .checked=${x(r.agreed)}
        aria-describedby=${yt(s)}
        aria-invalid=${fe(s)}
        @change=${a=>s.typed({...r,agreed:a.target.checked})} /><span
        >${n("I have read this and I agree")}</span></label>
    <div class="field">
      <label for="${s.id}-sign">${n("Signature: your full name")}</label>
      <input
        class="input sign"
        dir="auto"
        id="${s.id}-sign"
        autocomplete="name"
        maxlength="200"
        .value=${x(r.signature)}
        aria-describedby=${yt(s)}
        @input=${a=>s.typed({...r,signature:a.target.value})} />
    </div>
  </div>`}var er={text:s=>c`<textarea
      class="input"
      dir="auto"
      id=${s.id}
      rows="4"
      maxlength="4000"
      aria-labelledby=${s.label}
      aria-describedby=${yt(s)}
      aria-invalid=${fe(s)}
      .value=${x(s.answer??"")}
      @input=${t=>s.typed(t.target.value)}></textarea>`,choice:s=>nn(s,s.step.options.map(t=>[t,O(t)])),yes_no:s=>nn(s,[[!0,n("Yes")],[!1,n("No")]]),date:s=>c`<input
      class="input date"
      type="date"
      id=${s.id}
      aria-labelledby=${s.label}
      aria-describedby=${yt(s)}
      aria-invalid=${fe(s)}
      .value=${x(s.answer??"")}
      @input=${t=>s.typed(t.target.value)} />`,consent:tr,device_check:s=>c`<device-check
      .client=${s.client}
      .phone=${s.phone}
      .answer=${s.answer}
      .typed=${s.typed}></device-check>`};function on({step:s,answer:t,problem:e,label:i,client:o,phone:r="",typed:a}){let l={id:`step-${s.id}`,step:s,answer:t,problem:e,label:i,client:o,phone:r,typed:a},h=c`<p class="quiet" id="${l.id}-help">${O(s.help)}</p>`;return c` ${s.help?h:u}
    ${er[s.kind]?.(l)??u}
    <div role="alert">
      ${e?c`<p class="wrong" id="${l.id}-wrong">${e}</p>`:u}
    </div>`}var sr=b(()=>({saved:n("All answers are saved"),saving:n("Saving…"),waiting:n("Not connected: your answers are kept here and sent when the connection is back"),"":""}));function ir(s,t){let{steps:e}=s;return c`<div class="progress">
    <div class="row apart small">
      <b class="num">${n("Step {step} of {steps}",{step:t+1,steps:e.length})}</b
      ><span class="quiet saved" data-saving=${s.saving}>${sr()[s.saving]}</span>
    </div>
    <progress max=${e.length} .value=${t+1} aria-label=${n("Setup guide")}></progress>
  </div>`}function cs({state:s,client:t,step:e,heading:i=1,busy:o,go:r,finished:a}){let l=s.steps.indexOf(e),h=l===s.steps.length-1,d=`title-${e.id}`,m=l>0?s.steps[l-1]:null,p=c`${O(e.title)}${e.required?u:c` <span class="optional">${n("(optional)")}</span>`}`,f=i===1?c`<h1 id=${d} tabindex="-1" data-focus>
          ${p}
        </h1>`:c`<h2 id=${d} tabindex="-1" data-focus>
          ${p}
        </h2>`,w=$=>{if($.preventDefault(),o)return;let{steps:T}=s;r(T[T.findIndex(({id:y})=>y===e.id)+1]??"done",{forward:!0})};return c`${ir(s,l)}
    <form class="card stack step" novalidate @submit=${w}>
      ${Me(e.id,c`${f}
        ${on({step:e,answer:s.answer(e.id),problem:s.problems.get(e.id),label:d,client:t,phone:s.phone,typed:$=>s.type(e.id,$)})}`)}
      <div class="row apart moves">
        ${m?c`<button type="button" class="btn" @click=${()=>r(m,{forward:!1})}>
                ${n("Back")}
              </button>`:u}
        <button class="btn main big" aria-disabled=${o?"true":"false"}>
          ${h?a?n("Done"):n("Finish"):n("Next")}
        </button>
      </div>
    </form>`}var ge=class{#t;#e;#s;#n=null;#i=0;#o=!1;#a=!1;constructor(t,e,i){this.#t=t,this.#e=e,this.#s=i}async#c(t){if(!this.#a){this.#a=!0,this.#s();try{let e=new URLSearchParams({how:t}),i=await fetch(this.#t,{method:"POST",body:e,signal:AbortSignal.timeout(2e4)});i.status===204?this.#o=!0:this.#r(await i.json())}catch{this.#r({})}finally{this.#a=!1,this.#s()}}}#r({svg:t,minutes:e,problem:i}){if(!t)return v(i??n("That did not work; please try again."),{bad:!0});let o=new DOMParser().parseFromString(t,"text/html").querySelector("svg");o?.setAttribute("role","img"),o?.setAttribute("aria-label",n("QR code of the link")),this.#n=o,this.#i=e??0}view(){let t=String(this.#a),e=matchMedia("(pointer: coarse)").matches;return c`<section class="card stack phone">
      <h2>${e?n("Continue on another device"):n("Continue on your phone")}</h2>
      <p class="small quiet">
        ${n("The other device takes over; your place in line and your answers are kept.")}
      </p>
      <div role="status" class="stack">
        ${this.#n?c`<div class="qr">${this.#n}</div>
                <p class="small">
                  ${n("Point the other device’s camera at it. It works once, within {n} minutes.",{n:this.#i})}
                </p>`:u}
        ${this.#o?c`<p>${n("The link is on its way to your email address.")}</p>`:u}
      </div>
      <div class="row">
        <button type="button" class="btn" aria-disabled=${t} @click=${()=>this.#c("code")}>
          ${this.#n?n("Show a new QR code"):n("Show a QR code")}
        </button>
        ${this.#e?c`<button type="button" class="btn" aria-disabled=${t} @click=${()=>this.#c("mail")}>
                ${n("Mail me the link")}
              </button>`:u}
      </div>
    </section>`}};async function ls(s,t){let e;try{let i=await fetch(s,{method:"POST",body:t});if(i.status===204)return!0;e=(await i.json()).problem}catch{}return v(e??n("That did not work. Nothing was changed; please try again."),{bad:!0}),!1}async function rn({path:s}){await ot({title:n("Remove this photo?"),text:n("It is erased for everybody, and cannot be brought back."),yes:n("Remove"),no:n("Keep it"),danger:!0})&&await ls(`${s}/remove`,null)&&E(n("The photo was removed."))}function hs(s,t){return c`<ul role="list" class="photos">
    ${D(s,({id:e})=>e,(e,i)=>{let o=i+1;return c`<li>
          <a href=${Be(e.path)} target="_blank" rel="noopener"
            ><img
              src=${Be(e.path)}
              width=${e.width}
              height=${e.height}
              alt=${e.text?n("Photo {n}: {text}",{n:o,text:e.text}):n("Photo {n}",{n:o})}
          /></a>
          ${e.text?c`<p class="small" dir="auto" aria-hidden="true">${e.text}</p>`:u}
          ${t?c`<button
                  type="button"
                  class="btn plain"
                  aria-label=${n("Remove photo {n}",{n:o})}
                  @click=${()=>t(e)}>
                  ${n("Remove")}
                </button>`:u}
        </li>`})}
  </ul>`}var nr=6,or=1600,rr=.85,ar="image/jpeg,image/png,image/webp";async function cr(s){try{let t=await createImageBitmap(s,{imageOrientation:"from-image"}),e=Math.min(1,or/Math.max(t.width,t.height)),i=document.createElement("canvas");i.width=Math.max(1,Math.round(t.width*e)),i.height=Math.max(1,Math.round(t.height*e));let o=i.getContext("2d");return o?(o.fillStyle="#fff",o.fillRect(0,0,i.width,i.height),o.drawImage(t,0,0,i.width,i.height),t.close(),await new Promise(r=>i.toBlob(a=>r(a??s),"image/jpeg",rr))):s}catch{return s}}var we=class{#t;#e;#s=!1;constructor(t,e){this.#t=t,this.#e=e}async#n(t){let e=await cr(t),i=URL.createObjectURL(e),o=await Xs({title:n("Send this photo?"),text:n("The clinic’s staff who take care of you see it. Place, time and camera are not sent with it."),yes:n("Send photo"),no:n("Cancel"),fields:c`<img class="preview" src=${i} alt="" />
        <div class="field">
          <label for="photo-text"
            >${n("What does it show?")} <span class="optional">${n("(optional)")}</span></label>
          <input class="input" id="photo-text" name="text" maxlength="200" autocomplete="off" />
        </div>`});if(URL.revokeObjectURL(i),!o)return;let r=new FormData;r.set("photo",e,"photo"),r.set("text",o.text),this.#s=!0,this.#e(),await ls(this.#t,r)&&E(n("Your photo was sent.")),this.#s=!1,this.#e()}view(t){let e=({currentTarget:o})=>{let[r]=o.files??[];o.value="",r&&this.#n(r)},i=t.length>=nr;return c`<section class="stack" aria-label=${n("Photos")} data-photos>
      <p class="small quiet">
        ${n("A photo can help: of what hurts, a rash, a medicine, a letter. Only the clinic’s staff see it.")}
      </p>
      ${t.length?hs(t,rn):u}
      ${i?c`<p class="small quiet">${n("No more photos can be kept. Remove one to add another.")}</p>`:c`<label class="btn pick" aria-disabled=${this.#s?"true":u}>
              <input class="sr" type="file" accept=${ar} ?disabled=${this.#s} @change=${e} />
              ${this.#s?n("Sending the photo…"):n("Add a photo")}
            </label>`}
    </section>`}};function an(s,t,e){return!s||t.outcome!=="completed"&&t.outcome!=="by_phone"?u:t.surveyed?c`<section class="card" role="status"><p>${n("Thank you for your answer.")}</p></section>`:c`<form class="card stack survey" @submit=${o=>{o.preventDefault();let{currentTarget:r,submitter:a}=o,l=new FormData(r),h=a??r.querySelector("button");h.disabled=!0,e({choice:Number(l.get("choice")),text:String(l.get("text")??"").trim()}).catch(d=>{h.disabled=!1,v(A(d),{bad:!0})})}}>
    <fieldset class="choices">
      <legend>${O(s.question)}</legend>
      ${s.choices.map((o,r)=>c`<label class="choice"
            ><input type="radio" name="choice" value=${r+1} required /><span
              >${O(o)}</span></label>`)}
    </fieldset>
    ${s.comment?c`<div class="field">
            <label for="survey-text"
              >${O(s.comment)} <span class="optional">${n("(optional)")}</span></label>
            <textarea class="input" id="survey-text" name="text" rows="3" maxlength="1000"></textarea>
          </div>`:u}
    <p class="small quiet">${n("The clinic reads your answer. It does not change your care.")}</p>
    <p><button class="btn main">${n("Send")}</button></p>
  </form>`}function cn({visit:s,visits:t,home:e},i,o=sessionStorage){try{let r=o.getItem(`visit:${e}`);if(!i&&r&&r!==s&&t.includes(r))return r;o.setItem(`visit:${e}`,s)}catch{}return null}function us(s,t){let e=new Set;return s.filter(({id:i,only_if:o})=>{let r=!o||e.has(o.step)&&t(o.step)===o.answer;return r&&e.add(i),r})}var lr={text:(s,t)=>s.required&&!t?.trim()?n("Please write something here. “None” is an answer too."):null,choice:(s,t)=>s.required&&!t?n("Please choose one."):null,yes_no:(s,t)=>s.required&&typeof t!="boolean"?n("Please choose Yes or No."):null,date:(s,t)=>s.required&&!t?n("Please give the whole date: day, month and year."):null,consent:(s,t)=>t?.agreed?t.signature?.trim()?null:n("Please sign by writing your full name."):s.required?n("Please read this and tick that you agree."):null,device_check:()=>null};function ln(s,t){let e=lr[s.kind];return e?.(s,t)??null}var hr=b(()=>({"is required":n("This answer is required."),"must be one of the options":n("This answer must be one of the options."),"must be a date (YYYY-MM-DD)":n("This answer must be a whole date."),"must be agreed to":n("This must be agreed to."),"must be signed with your name":n("This must be signed with your name.")}));function hn(s=""){let t=/^is longer than (\d+) characters$/.exec(s);return t?n("This answer is longer than {most} characters.",{most:t[1]}):hr()[s]??n("This answer cannot be used. Please look at it again.")}var ur=400,dr=4e3,un=2e3,ve=class extends EventTarget{visit=null;info=null;place=null;gone=null;problems=new Map;#t;#e=[];#s=new Map;#n=new Set;#i=0;#o=0;constructor(t,e){super(),this.#t=t,this.id=e,t.addEventListener("welcome",({detail:o})=>{o.resumed||this.#h(),this.#u()});let i=o=>{this.gone=o,this.#f()};t.subscribe(`visit/${e}`,o=>this.#c(o.visit),i),this.#a()}#a(){this.#e=[this.#t.subscribe(`case/${this.id}`,t=>this.#m({info:t.case})),this.#t.subscribe(`place/${this.id}`,t=>this.#m({place:t}))]}#c(t){if(t.status==="ended")for(let e of this.#e.splice(0))e();else this.#e.length||(this.#a(),this.#h());this.#m({visit:this.#r(t)})}#r(t){let e=this.visit;if(t.status!=="ended"||t.claimant||!e?.claimant)return t;let i=e.live_ms&&t.ended_ms?t.ended_ms-e.live_ms:0;return{...t,claimant:e.claimant,talked_ms:e.talked_ms+i}}get phone(){let{phone_shown:t="",phone:e=""}=this.info?.patient??{};return t||e}get steps(){return us(this.info?.steps??[],t=>this.answer(t))}get saving(){return this.#n.size?this.#t.status==="open"?"saving":"waiting":"saved"}answer(t){return this.#s.has(t)?this.#s.get(t):this.info?.answers[t]}get firstOpenStep(){let t=(this.info?.step??1)-1,e=(i,o)=>this.answer(i.id)===void 0&&(i.required||o>=t);return this.steps.find(e)??this.steps[this.steps.length-1]}type(t,e){if(this.#s.set(t,e),this.#n.add(t),this.problems.delete(t),!this.#i){let i=Math.max(0,this.#o+ur-Date.now());this.#i=setTimeout(()=>this.#u(),i)}this.#f()}async leave(t,{forward:e}){let i=this.answer(t.id)??null,o=ln(t,i);if(o)return e&&this.#g(t.id,o),this.#u(),!e;this.#n.delete(t.id);let r=this.#l(t.id,i,!0),a=new Promise(l=>setTimeout(l,this.#t.status==="open"?dr:0,!0));return Promise.race([r,a])}async finish(){try{return await this.#t.request({type:"visit.finish",visit:this.id},{timeout_ms:6e4}),null}catch(t){if(!(t instanceof _)||t.code!=="guide_incomplete")throw t;let e=t.details.steps??[];for(let i of e)this.problems.set(i,n("This step still needs your answer."));return this.#f(),e[0]??null}}withdraw(){return this.#t.request({type:"visit.withdraw",visit:this.id})}answerSurvey(t){return this.#t.request({type:"visit.survey",visit:this.id,...t})}flush(){this.#u()}#h(){this.#t.request({type:"visit.enter",visit:this.id}).catch(t=>{(t.code==="unavailable"||t.code==="timeout")&&setTimeout(()=>this.#h(),un)})}#u(){if(clearTimeout(this.#i),this.#i=0,this.#t.status==="open"){this.#o=Date.now();for(let t of this.#n)this.#l(t,this.#s.get(t)??null,!1);this.#n.clear()}}async#l(t,e,i){try{return await this.#t.request({type:"visit.save",visit:this.id,step:t,answer:e,left:i},{timeout_ms:6e4}),i&&this.#s.get(t)===e&&(this.info&&(this.info={...this.info,answers:{...this.info.answers,[t]:e}}),this.#s.delete(t)),!0}catch(o){return this.#d(o,t,i)}finally{this.#f()}}#d(t,e,i){if(!(t instanceof _))throw t;return t.code==="invalid_answer"?(i&&this.#g(e,hn(t.details?.problem)),!1):(["unavailable","timeout","offline"].includes(t.code)&&(this.#s.has(e)||this.#s.set(e,this.info?.answers[e]??null),this.#n.add(e),setTimeout(()=>this.#u(),un)),!0)}#g(t,e){this.problems.set(t,e),this.#f()}#m(t){Object.assign(this,t),this.#f()}#f(){this.dispatchEvent(new Event("change"))}};var dn=b(()=>({camera:n("Camera"),microphone:n("Microphone"),speaker:n("Speaker"),network:n("Network")})),pr=b(()=>({on:n("works"),good:n("good"),fair:n("fair"),poor:n("poor"),"not heard":n("not heard"),denied:n("not allowed"),system:n("not allowed"),silent:n("switched off"),missing:n("none"),busy:n("in use elsewhere"),insecure:n("not allowed"),unsupported:n("not in this browser"),failed:n("does not work"),blocked:n("blocks video")})),mr={text:s=>s||null,choice:s=>s||null,yes_no:s=>s===!0?n("Yes"):s===!1?n("No"):null,date:s=>s?ui(s):null,consent:s=>{if(!s?.agreed)return null;if(!s.signature)return n("Agreed, not signed yet");let t=n("Agreed, signed “{name}”",{name:s.signature});return s.language?`${t} · ${n("read in {language}",{language:hi(s.language)})}`:t},device_check:s=>{let t=Object.entries(s??{}).filter(([e])=>dn()[e]);return t.length?t.map(([e,i])=>`${dn()[e]}: ${pr()[i]??i}`).join(" · "):null}};function pn(s,t){let e=mr[s.kind];return t==null?null:e?.(t)??null}function mn(s,t,e){let i=s?Math.max(.08,1-(s-1)/Math.max(t,s)):0,o=2*Math.PI*60;return c`<svg class="ring breathe" viewBox="0 0 132 132" aria-hidden="true">
    <circle class="track" cx="66" cy="66" r="60"></circle>
    ${Ee`<circle class="share" cx="66" cy="66" r="60" transform="rotate(-90 66 66)"
      stroke-dasharray="${o*i} ${o}"></circle>`}
    <text x="66" y="66" text-anchor="middle" dominant-baseline="central">${e}</text>
  </svg>`}function gn(s){return s?n("{name} will take over. Nobody sees or hears you now.",s):n("You are back in line, at your old place. Nobody sees or hears you now.")}function wn(s,t){return t?n("{name} will take over",t):s?[He(s.place),je(s.wait_low_ms,s.wait_high_ms)].filter(Boolean).join(". "):n("You are in line")}var fr=b(()=>({on:n("Works"),good:n("Good"),fair:n("Fair"),poor:n("Poor"),"not heard":n("Not heard")}));function gr(s){let t=s.steps.find(({kind:o})=>o==="device_check"),e=t&&s.answer(t.id)||{},i=[{name:n("Camera"),word:e.camera},{name:n("Microphone"),word:e.microphone},{name:n("Speaker"),word:e.speaker},{name:n("Network"),word:e.network}];return c`<ul role="list" class="stack ready">
    ${i.map(({name:o,word:r})=>r&&c`<li class="row apart">
          <span>${o}</span>
          <span class="chip ${["on","good","fair"].includes(r)?"":"amber"}"
            >${fr()[r]??n("Does not work")}</span>
        </li>`)}
    <li class="row apart"><span>${n("Setup guide")}</span><span class="chip">${n("Complete")}</span></li>
  </ul>`}function wr(s,t){let e=s.findLastIndex(({party:i})=>i==="staff");return e>=0&&s.length-1-e<t}function ds(s,t){let e=s.lines.filter(({party:o})=>o!=="patient");if(t&&e.some(({party:o})=>o==="staff"))return c`<section class="card stack talk">
      <h2>${n("Messages")}</h2>
      ${Yt(s,{may:wr(s.lines,t),failed:o=>v(A(o),{bad:!0}),hint:n("Staff have your messages. You can write again when they have answered.")})}
    </section>`;let i=e.slice(-3).reverse();return i.length?c`<section class="card stack" aria-label=${n("Messages")}>
    ${i.map(o=>c`<div class="msg">
          <b>${n("Message from {name}",{name:o.name})} ·
            <span class="num">${H(o.at_ms)}</span></b>
          ${Ge(o)}
        </div>`)}
  </section>`:u}function vr(s,t){let e=pn(s,t);return e===null?n("No answer"):s.kind==="choice"?O(e):c`<bdi>${e}</bdi>`}function vn({state:s,visit:t,act:e,organisation:i,written:o,photos:r,phone:a,contact:l}){let{place:h}=s,d=t.taking_over,m=je(h?.wait_low_ms,h?.wait_high_ms),p=s.steps.find(({kind:f})=>f==="device_check");return c` <section class="card place">
      ${d?mn(1,1,rt(d.name)):mn(h?.place??null,h?.waiting??1,String(h?.place??"…"))}
      <div role="status" class="stack" translate="no">
        <h1 tabindex="-1" data-focus>
          ${d?n("{name} will take over",d):He(h?.place)}
        </h1>
        <p class="quiet num">
          ${d?n("You were handed over to a colleague, who knows that you are waiting."):c`${m?`${m}. `:u}${h?`${li(h.on_call)}.`:u}`}
        </p>
      </div>
      ${t.area?c`<p>${n("You wait for {area}.",{area:t.area.name})}</p>`:u}
      <p class="small quiet num">
        ${n("You have been in line since {time}, when you opened the setup guide.",{time:H(t.arrived_ms)})}
      </p>
    </section>
    ${o}
    <section class="notice">
      <p>
        <b>${n("You may lock this phone or close this page.")}</b>
        ${n("Your place is kept: open {name}’s page again in this browser and you are back here. Nobody sees or hears you until you press Start Session.",i)}
      </p>
      ${l.view(s.info)}
    </section>
    <section class="card stack">
      <h2>${n("Photos")}</h2>
      ${r.view(s.info?.photos??[])}
    </section>
    ${a.view()}
    <section class="card stack">
      <h2>${n("You are ready")}</h2>
      ${gr(s)}
      <details class="review">
        <summary>${n("Your answers")}</summary>
        <dl>
          ${s.steps.map(f=>c`<div>
                <dt>${O(f.title)}</dt>
                <dd>
                  ${vr(f,s.answer(f.id))}
                  <button
                    type="button"
                    class="btn plain"
                    aria-label=${n("Change: {step}",{step:j(f.title).text})}
                    @click=${()=>e.step(f)}>
                    ${n("Change")}
                  </button>
                </dd>
              </div>`)}
        </dl>
      </details>
    </section>
    <div class="row apart">
      ${p?c`<button type="button" class="btn" @click=${()=>e.step(p)}>
              ${n("Check devices")}
            </button>`:c`<span></span>`}
      <button type="button" class="btn danger" @click=${e.leave}>${n("Leave the line")}</button>
    </div>`}var fn={completed:s=>[n("Your visit is over"),s.claimant?s.talked_ms?n("You saw {name}, for {time}.",{name:s.claimant.name,time:ai(s.talked_ms)}):n("You saw {name}.",s.claimant):n("Thank you for coming.")],by_phone:({claimant:s})=>[n("Your visit is over"),s?n("{name} saw you by phone.",s):n("It was held by phone.")],declined:(s,t)=>[n("This visit could not take place"),s.reason||(t?n("The clinic declined this request. You also get an email."):n("The clinic declined this request."))],withdrawn:({claimant:s})=>s?[n("You have left the visit"),n("{name} is told so. You can come back with Meet Now at any time.",s)]:[n("You have left the line"),n("Your place was given up, as you wished. You can come back with Meet Now at any time.")],closed:()=>[n("The clinic has closed"),n("Nobody could see you before closing time. We are sorry. The clinic’s page says when it opens again.")],expired:()=>[n("This visit has expired"),n("Nobody could take it in the time the clinic allows. We are sorry. You can ask again with Meet Now.")]},ps=(s,t)=>(fn[s.outcome??"completed"]??fn.completed)(s,t);function bn({visit:s,organisation:t,home:e,book:i,mails:o}){let[r,a]=ps(s,o);return c`<section class="card stack after">
    ${s.outcome==="completed"||s.outcome==="by_phone"?c`<span class="mark large" aria-hidden="true">✓</span>`:u}
    <h1 tabindex="-1" data-focus>${r}</h1>
    <p dir="auto">${a}</p>
    ${s.ended_ms?c`<p class="small quiet num">
            ${n("Ended at {time}. Camera and microphone are off.",{time:H(s.ended_ms)})}
          </p>`:u}
    <p class="row">
      ${i&&s.outcome==="closed"?c`<a class="btn main" href=${i}>${n("Book a time")}</a>`:u}
      <a class="btn ${i&&s.outcome==="closed"?"":"main"}" href=${e}
        >${n("Back to {name}",t)}</a>
    </p>
  </section>`}var br=4e3,ws=new de("patient",Lr),{boot:k,client:ut,connection:fs,language:Tn,redraw:N,root:$r}=ws,{organisation:U}=k,$n=cn(k,new URLSearchParams(location.search).has("visit"));$n&&location.replace(`${location.pathname}?visit=${encodeURIComponent($n)}${location.hash}`);var g=new ve(ut,k.visit),yr=b(()=>({kept:n("Your place and your answers are kept."),blocked:n("This network does not let the page stay connected. Please try another one, such as mobile data, or call the clinic."),closed:{4203:{text:n("This visit is open in another tab."),label:n("Use it here"),act:()=>ut.connect()},other:{text:n("This browser has no open visit here any more."),label:n("Go to {name}",U),act:()=>location.assign(k.home)}}})),xn=new we(`${k.home}/visits/${k.visit}/photos`,N),kr=new ge(`${k.home}/visits/${k.visit}/phone`,k.mails,N),_n=new me(`${k.home}/visits/${k.visit}/contact`,k.contact,N),Sn=new pe(k,()=>vs(),N),kt=new ct(ut,k.visit,"patient",Er),M=null,$e=!1,An=!1,be=null,ye=()=>g.steps.find(s=>`#${s.id}`===decodeURIComponent(location.hash)),En=s=>`${location.pathname}#${encodeURIComponent(s.id)}`;function Mn(){return g.gone?"gone":g.visit?.status==="ended"?"after":!g.visit||!g.info?"loading":g.visit.status!=="queued"?"session":g.info.guide_done&&!ye()?"waiting":"guide"}var Nn=()=>g.gone&&g.visit&&g.visit.status!=="ended";async function Cn(s,t,{forward:e},i){$e=!0,N();try{if(!await g.leave(s,{forward:e}))return Tr();if(t!=="done")return i(t);let o=g.info?.guide_done?null:await g.finish();return i(g.steps.find(({id:r})=>r===o)??null)}catch(o){return v(`${A(o)} ${n("Your answers are kept; please try again.")}`,{bad:!0})}finally{$e=!1,N()}}function Tr(){N(),queueMicrotask(()=>{$r.querySelector("[aria-invalid=true] input, input[aria-invalid=true], textarea[aria-invalid=true]")?.focus()})}function gs(s){s?history.pushState(null,"",En(s)):history.pushState(null,"",location.pathname),N()}var xr=()=>wn(g.place,g.visit?.taking_over??null);function _r(){let s=ye()??g.firstOpenStep;ye()||history.replaceState(null,"",En(s));let t=g.info?.guide_done??!1;return c` <div class="inline">
      <span class="chip num" role="status" translate="no"
        ><span class="dot"></span>${xr()}</span>
    </div>
    ${Sn.view(g.place)}${ds(kt,k.answers)}
    ${cs({state:g,client:ut,step:s,busy:$e,finished:t,go:(e,i)=>Cn(s,e,i,gs)})}
    <div class="stack moves-out">
      ${_n.view(g.info)}
      <p class="small quiet">
        ${n("Staff can see your request already. You may be taken in before you finish.")}
      </p>
      <div>
        ${t?c`<button type="button" class="btn plain" @click=${()=>gs(null)}>
                ${n("Back to the waiting room")}
              </button>`:c`<button type="button" class="btn plain" @click=${vs}>
                ${n("Leave the line")}
              </button>`}
      </div>
    </div>`}async function vs(){if(await ot({title:n("Leave the line?"),text:n("Your place is given up, and staff no longer see your request. To come back you would start again at the end of the line."),yes:n("Leave the line"),no:n("Stay in line"),danger:!0}))try{await g.withdraw()}catch(t){v(`${A(t)} ${n("You are still in line.")}`,{bad:!0})}}function yn(){return c`<h2>${n("Photos")}</h2>
    ${xn.view(g.info?.photos??[])}`}function Sr(){be??=g.firstOpenStep.id;let s=g.steps.find(({id:e})=>e===be)??g.firstOpenStep,t=e=>{be=e?.id??null,!e&&(M?.closeAside(),v(n("Thank you: the setup guide is complete.")))};return c`<div class="stack">
    ${cs({state:g,client:ut,step:s,heading:2,busy:$e,finished:g.info?.guide_done??!1,go:(e,i)=>Cn(s,e,i,t)})}
  </div>`}function Ar(){let s=g.info?.guide_done??!1;if(!g.steps.length||s&&!be)return{label:n("Photos"),view:yn};let t=g.steps.filter(e=>e.required&&g.answer(e.id)===void 0).length;return{label:s?n("Setup guide"):t?Z("Setup guide · {n} to answer","Setup guide · {n} to answer",t):n("Setup guide · finish"),short:t?`${n("Setup guide")} · ${t}`:n("Setup guide"),view:()=>c`${Sr()}${yn()}`}}function Er(s){s&&!M&&(v(n("Message from {name}: {text}",{name:s.name,text:Ve(s).text})),tt({notes:[783.99]}).catch(()=>{})),N()}var ms;function Mr(){if(!g.visit)return;let{area:s,status:t}=g.visit,e=ms!==void 0&&ms!==(s?.id??"");ms=s?.id??"",!(!e||t!=="queued")&&v(s?n("You were moved to {area}. The time that you have waited counts.",{area:s.name}):n("You were moved to another line. The time that you have waited counts."))}function Nr(){Mr();let s=Mn();s==="after"?kt.stop():kt.start(),s==="session"&&!M?(M=new oe({client:ut,visit:k.visit,role:"patient",organisation:U,language:Tn,redraw:N,aside:Ar,patient:()=>g.info?.patient??null}),M.open(),navigator.userActivation?.hasBeenActive&&(navigator.vibrate?.(200),tt({notes:[523.25,783.99]}).catch(()=>{}))):s!=="session"&&M&&(M.close(),M=null,(s==="waiting"||s==="guide")&&v(gn(g.visit?.taking_over??null))),g.visit&&M?.update(g.visit),N()}function Cr(){return c`<header class="top">
    <span class="home">${Pt(U)}<bdi>${U.name}</bdi></span>
    ${fs.status==="open"?c`<span class="chip end" translate="no"><span class="dot"></span>${n("Connected")}</span>`:c`<span class="chip off end" translate="no"
            >${fs.status==="closed"?n("Not connected"):n("Connecting…")}</span>`}
  </header>`}var kn={loading:()=>c`<h1>${n("Your visit")}</h1>
      <p class="quiet" role="status">
        ${An?n("This takes longer than usual. Your place in line is kept, and this page goes on trying by itself."):n("Opening your visit…")}
      </p>`,gone:()=>Nn()?c`<section class="card stack">
          <h1 tabindex="-1" data-focus>${n("Your visit was lost")}</h1>
          <p role="status">
            ${n("Our records were restored without your visit, so you are no longer in line. We are sorry. Nobody sees or hears you. Please begin again with Meet Now.")}
          </p>
          <p><a class="btn main big" href=${k.home}>${n("Go to {name}",U)}</a></p>
        </section>`:c`<section class="card stack">
          <h1 tabindex="-1" data-focus>${n("No visit is open here")}</h1>
          <p>${n("This browser has no open visit at {name} any more.",U)}</p>
          <p><a class="btn main" href=${k.home}>${n("Go to {name}",U)}</a></p>
        </section>`,guide:_r,waiting:()=>{let{visit:s}=g,t={leave:vs,step:gs};return s?vn({state:g,visit:s,organisation:U,written:c`${Sn.view(g.place)}${ds(kt,k.answers)}`,photos:xn,phone:kr,contact:_n,act:t}):u},after:()=>{let{visit:s}=g;return s?c`${bn({visit:s,organisation:U,home:k.home,book:k.book,mails:k.mails})}
          ${an(k.survey,s,t=>g.answerSurvey(t))}`:u}},Or={loading:()=>n("Your visit"),gone:()=>Nn()?n("Your visit was lost"):n("No open visit"),guide:()=>n("{step}: setup guide",{step:j((ye()??g.firstOpenStep).title).text}),waiting:()=>`${g.place?.place&&!g.visit?.taking_over?`(${g.place.place}) `:""}${n("Waiting room")}`,session:()=>M?.title??n("Your session"),after:()=>g.visit?ps(g.visit,k.mails)[0]:""};function Lr(){let s=Mn(),t=ti(fs,yr()),e=s==="session"&&M?c`${t}${M.view()}`:c`${t}${Cr()}
        <main id="main" tabindex="-1" class="page stack" data-phase=${s}>
          ${(kn[s]??kn.loading)()}
        </main>
        <footer class="foot">${Tn.view()}</footer>`,i=s==="guide"?`guide${location.hash}`:s;ws.show(e,{key:i,title:Or[s]()})&&s==="session"&&E(M?.title??"")}g.addEventListener("change",Nr);addEventListener("popstate",N);addEventListener("pagehide",()=>g.flush());document.addEventListener("visibilitychange",()=>document.hidden&&g.flush());addEventListener("beforeunload",s=>g.saving==="waiting"&&s.preventDefault());setTimeout(()=>{An=!0,N()},br);oi();kt.start();ws.begin();
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
